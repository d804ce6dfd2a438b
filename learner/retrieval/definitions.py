"""Imports and definitions, found lexically: what a file has from elsewhere, and where names are made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learner.place import indent_of
from learner.retrieval.identifiers import names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LONGEST = 24
"""Lines of a definition that are shown: its signature and the beginning of its body."""

_MODIFIERS = (
    "export|default|public|private|protected|internal|static|final|abstract|async|open|override|virtual|inline|"
    "const|unsafe|extern|declare|sealed|data|partial|pub(?:\\([^)]*\\))?"
)
_KINDS = (
    "def|class|function\\*?|func|fn|struct|enum|trait|interface|type|module|object|record|union|namespace|"
    "protocol|extension|mod"
)
_DEFINITION = re.compile(
    rf"^(?:[ \t]*(?:(?:{_MODIFIERS})[ \t]+)*(?:{_KINDS})[ \t]+(?:\([^)\n]*\)[ \t]*)?([^\W\d]\w*)"
    r"|(?:export[ \t]+)?(?:(?:const|let|var|val)[ \t]+)?([^\W\d]\w*)[ \t]*(?::[^=\n]{1,80})?=(?![=>]))",
    re.MULTILINE,
)

_PYTHON_FROM = re.compile(r"^[ \t]*from\s+([.\w]+)\s+import\s+(\([^)]*\)|[^\n]*)", re.MULTILINE)
_PYTHON_IMPORT = re.compile(r"^[ \t]*import\s+([^\n]+)", re.MULTILINE)
_SCRIPT_FROM = re.compile(r"\bimport\s+(?:type\s+)?([^;'\"]*?)\s*from\s*['\"]([^'\"]+)['\"]")
_SCRIPT_REQUIRE = re.compile(r"\b(?:const|let|var)\s+(\{[^}]*\}|\w+)\s*=\s*require\(\s*['\"]([^'\"]+)['\"]")
_RUST_USE = re.compile(r"\buse\s+([\w:]+?)::(\{[^}]*\}|\w+)(?:\s+as\s+\w+)?\s*;")
_DOTTED_IMPORT = re.compile(r"^\s*import\s+(?:static\s+)?([\w.]+)\.(\w+)\s*;?\s*$", re.MULTILINE)
_GO_IMPORT = re.compile(r"^\s*(?:import\s+)?(?:(\w+)\s+)?\"([\w./-]+)\"\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Import:
    """A name that a file has from another place."""

    name: str
    """As this file says it."""
    original: str
    """As the other place says it; empty where the name stands for a whole module."""
    module: str
    """The module's path in parts joined by slashes, without the dots or slashes that lead it."""


def definitions(text: str, first: int = 0) -> Iterator[tuple[str, int]]:
    """Yield the names that ``text`` defines, each with its line's number, counted from ``first``."""
    for found in _DEFINITION.finditer(text):
        yield found.group(1) or found.group(2), first + text.count("\n", 0, found.start())


def extent(lines: Sequence[str], row: int) -> int:
    """Return the line after the definition that begins in ``row``, by its indentation; bounded."""
    margin = indent_of(lines[row])
    last = row
    for number in range(row + 1, min(len(lines), row + LONGEST)):
        line = lines[number]
        if line.strip():
            if indent_of(line) < margin or (indent_of(line) == margin and line.lstrip()[0] not in ")]}"):
                break
            last = number
    return last + 1


def imports(text: str, language: str) -> list[Import]:
    """Return what ``text`` imports, as far as one can tell without parsing it."""
    if language == "python":
        return [*_python_imports(text)]
    if language in ("javascript", "typescript", "javascriptreact", "typescriptreact", "vue", "svelte"):
        pairs = [*_SCRIPT_FROM.findall(text), *_SCRIPT_REQUIRE.findall(text)]
        return [found for names_, module in pairs for found in _listed(names_, module)]
    if language == "rust":
        return [found for module, names_ in _RUST_USE.findall(text) for found in _listed(names_, module)]
    if language == "go":
        return [Import(alias or path.split("/")[-1], "", path) for alias, path in _GO_IMPORT.findall(text)]
    return [Import(name, name, module.replace(".", "/")) for module, name in _DOTTED_IMPORT.findall(text)]


def used(found: Sequence[Import], text: str) -> list[Import]:
    """Return the imports that ``text`` uses, the last used first; of a module, the members it uses."""
    by_name = {each.name: each for each in found}
    result: dict[Import, None] = {}
    for name in reversed(names(text)):
        if (each := by_name.get(name)) is None:
            continue
        members = re.findall(rf"\b{re.escape(name)}(?:\.|::)([^\W\d]\w*)", text) if not each.original else []
        for member in reversed(members):
            result[Import(name, member, each.module)] = None
        if each.original:
            result[each] = None
    return list(result)


def leads_to(module: str, path: str) -> int:
    """Return how many trailing parts of ``module`` the file's path ends in; 0 for another file."""
    stem = path.rsplit(".", 1)[0]
    for entry in ("/__init__", "/index", "/mod"):
        stem = stem.removesuffix(entry)
    wanted, present = module.split("/"), stem.split("/")
    for candidate in (present, present[:-1]):
        shared = _shared_tail(wanted, candidate)
        if shared:
            return shared
    return 0


def _shared_tail(ours: Sequence[str], theirs: Sequence[str]) -> int:
    count = 0
    for one, other in zip(reversed(ours), reversed(theirs), strict=False):
        if one != other:
            break
        count += 1
    return count


def _python_imports(text: str) -> Iterator[Import]:
    for module, listed in _PYTHON_FROM.findall(text):
        yield from _listed(re.sub(r"#[^\n]*", "", listed), module)
    for listed in _PYTHON_IMPORT.findall(text):
        for part in listed.split("#")[0].split(","):
            module, _, alias = (piece.strip() for piece in part.partition(" as "))
            if module:
                yield Import(alias or module.split(".")[0], "", _parts(module))


def _listed(listed: str, module: str) -> Iterator[Import]:
    """Yield what a list of names brings: ``{a, b as c}``, ``(a, b as c)``, ``Default, {a}``, ``* as ns``."""
    for part in re.split(r"[,{}()\n;]", listed):
        original, _, alias = (piece.strip() for piece in re.sub(r"\s*:\s*", " as ", part).partition(" as "))
        original = original.removeprefix("type ").strip()
        if re.fullmatch(r"[^\W\d]\w*", original):
            yield Import(alias or original, original, _parts(module))
        elif original == "*" and alias:
            yield Import(alias, "", _parts(module))


def _parts(module: str) -> str:
    """Return a module's name as a path: ``a.b``, ``crate::a::b``, ``../a/b.js`` all give ``a/b``."""
    path = re.sub(r"\.(?:js|ts|jsx|tsx|mjs|vue|svelte)$", "", module)
    if "/" not in path:
        path = path.replace("::", "/").replace(".", "/")
    return "/".join(
        part for part in path.split("/") if part not in ("", ".", "..", "@", "~", "crate", "self", "super")
    )

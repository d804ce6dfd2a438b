"""What is known of each language's surface: comments, strings, brackets and what opens a block."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PAIRS = {")": "(", "]": "[", "}": "{"}
"""Each closing bracket and its opening one."""


@dataclass(frozen=True)
class Syntax:
    """The lexical surface of a language; enough to tell code from strings and comments."""

    line_comments: tuple[str, ...] = ()
    block_comments: tuple[tuple[str, str], ...] = ()
    quotes: tuple[str, ...] = ()
    """Delimiters of strings that end with their line."""
    long_quotes: tuple[str, ...] = ()
    """Delimiters of strings that may span lines; the longer spelling comes first."""
    openers: tuple[str, ...] = ()
    """How a line ends that opens a block: punctuation, or whole words."""
    docstrings: bool = False
    """Whether a long string that stands alone is documentation."""


_C = Syntax(("//",), (("/*", "*/"),), ('"', "'"), (), ("{",))
_SCRIPT = Syntax(("//",), (("/*", "*/"),), ('"', "'"), ("`",), ("{",))
_HASH = Syntax(("#",), (), ('"', "'"))
_MARKUP = Syntax((), (("<!--", "-->"),))

_SYNTAXES = {
    "python": Syntax(("#",), (), ('"', "'"), ('"""', "'''"), (":",), docstrings=True),
    "rust": Syntax(("//",), (("/*", "*/"),), (), ('"',), ("{",)),
    "go": Syntax(("//",), (("/*", "*/"),), ('"', "'"), ("`",), ("{",)),
    "swift": Syntax(("//",), (("/*", "*/"),), ('"',), ('"""',), ("{",)),
    "kotlin": Syntax(("//",), (("/*", "*/"),), ('"', "'"), ('"""',), ("{",)),
    "php": Syntax(("//", "#"), (("/*", "*/"),), (), ('"', "'"), ("{",)),
    "css": Syntax((), (("/*", "*/"),), ('"', "'"), (), ("{",)),
    "lua": Syntax(("--",), (("--[[", "]]"),), ('"', "'"), (), ("then", "do", "else", "repeat")),
    "ruby": Syntax(("#",), (("=begin", "=end"),), ('"', "'"), (), ("do", "then", "else", "begin")),
    "shellscript": Syntax(("#",), (), (), ('"', "'"), ("then", "do", "else", "{")),
    "sql": Syntax(("--",), (("/*", "*/"),), ("'",), (), ()),
    "haskell": Syntax(("--",), (("{-", "-}"),), ('"',), (), ("where", "do", "of")),
    "html": _MARKUP,
    "xml": _MARKUP,
    "yaml": _HASH,
    "toml": Syntax(("#",), (), ('"', "'"), ('"""', "'''")),
    "dockerfile": _HASH,
    "makefile": _HASH,
    "r": Syntax(("#",), (), ('"', "'"), (), ("{",)),
    "julia": Syntax(("#",), (("#=", "=#"),), ('"',), ('"""',), ()),
    "elixir": Syntax(("#",), (), ('"', "'"), ('"""',), ("do", "->")),
    **dict.fromkeys(("javascript", "typescript", "javascriptreact", "typescriptreact"), _SCRIPT),
    **dict.fromkeys(("vue", "svelte", "dart", "scala", "groovy"), _SCRIPT),
    **dict.fromkeys(("c", "cpp", "objective-c", "objective-cpp", "csharp", "java", "zig", "cuda-cpp"), _C),
    **dict.fromkeys(("json", "jsonc", "scss", "less", "proto", "proto3"), _C),
}
_PLAIN = Syntax()

_ENDINGS = {
    "c": "c h",
    "cpp": "cc cpp cxx hh hpp hxx",
    "csharp": "cs",
    "css": "css",
    "cuda-cpp": "cu cuh",
    "dart": "dart",
    "elixir": "ex exs",
    "go": "go",
    "groovy": "groovy gradle",
    "haskell": "hs",
    "java": "java",
    "javascript": "js mjs cjs",
    "javascriptreact": "jsx",
    "julia": "jl",
    "kotlin": "kt kts",
    "less": "less",
    "lua": "lua",
    "objective-c": "m",
    "objective-cpp": "mm",
    "php": "php",
    "python": "py pyi",
    "r": "r",
    "ruby": "rb",
    "rust": "rs",
    "scala": "scala sc",
    "scss": "scss",
    "shellscript": "sh bash zsh",
    "sql": "sql",
    "svelte": "svelte",
    "swift": "swift",
    "typescript": "ts mts cts",
    "typescriptreact": "tsx",
    "vue": "vue",
    "zig": "zig",
}
_LANGUAGES = {f".{ending}": language for language, endings in _ENDINGS.items() for ending in endings.split()}


def syntax_of(language: str) -> Syntax:
    """Return the syntax of an LSP language id; of an unknown one, only brackets are known."""
    return _SYNTAXES.get(language, _PLAIN)


def language_of(path: str) -> str:
    """Return the LSP language id of a source file by its ending, or empty where it is no source code."""
    return _LANGUAGES.get(PurePath(path).suffix.lower(), "")


@dataclass(frozen=True)
class Region:
    """A string or comment in a text: what ends it, and whether it ends within the text."""

    start: int
    end: int
    closer: str
    comment: bool
    closed: bool
    broken: bool = False
    """Whether the string's line ended before the string did."""


@dataclass(frozen=True)
class Lexed:
    """A text's strings and comments, and the brackets outside of them as (index, bracket)."""

    regions: tuple[Region, ...]
    brackets: tuple[tuple[int, str], ...]

    @property
    def inside(self) -> Region | None:
        """The region that the text ends in, None where it ends in code."""
        last = self.regions[-1] if self.regions else None
        return last if last is not None and not last.closed else None

    @property
    def unclosed(self) -> tuple[str, ...]:
        """The opening brackets without their closing one, outermost first."""
        return unclosed_after((), [bracket for _, bracket in self.brackets])[0]


def unclosed_after(opened: Sequence[str], brackets: Sequence[str]) -> tuple[tuple[str, ...], int, int]:
    """Read ``brackets`` where ``opened`` are open.

    Returns:
        What is open then, outermost first; how many closing brackets found no partner; and how many open ones
        were passed over by a closing one of another kind (code that is being typed lacks some).
    """
    stack, strays, passed = list(opened), 0, 0
    for bracket in brackets:
        partner = PAIRS.get(bracket)
        if partner is None:
            stack.append(bracket)
        elif partner in stack:
            while stack.pop() != partner:
                passed += 1
        else:
            strays += 1
    return tuple(stack), strays, passed


def lex(text: str, syntax: Syntax, within: Region | None = None) -> Lexed:
    """Split ``text`` into code, strings and comments; it begins inside of ``within`` where given."""
    regions: list[Region] = []
    brackets: list[tuple[int, str]] = []
    position = 0
    if within is not None:
        region = _region(text, 0, 0, within.closer, within.comment, syntax)
        regions.append(region)
        position = region.end
    while found := _tokens(syntax).search(text, position):
        token, start = found.group(), found.start()
        if token in "()[]{}":
            brackets.append((start, token))
            position = found.end()
        elif (closer := _closer(token, syntax)) is None:
            position = found.end()
        else:
            region = _region(text, start, found.end(), closer, token not in _strings(syntax), syntax)
            regions.append(region)
            position = region.end
    return Lexed(tuple(regions), tuple(brackets))


def opens_block(line: str, syntax: Syntax) -> bool:
    """Whether ``line``, which begins in code, ends by opening a block."""
    lexed = lex(line, syntax)
    comments = [region.start for region in lexed.regions if region.comment]
    code = line[: comments[0]].rstrip() if comments else line.rstrip()
    if lexed.regions and not lexed.regions[-1].comment and lexed.regions[-1].end >= len(code):
        return False
    return any(
        re.search(rf"\b{opener}$", code) if opener.isalpha() else code.endswith(opener)
        for opener in syntax.openers
    )


def _strings(syntax: Syntax) -> tuple[str, ...]:
    return syntax.long_quotes + syntax.quotes


def _closer(token: str, syntax: Syntax) -> str | None:
    """Return what ends the region that ``token`` begins; None for a character literal, which is whole."""
    if token in _strings(syntax):
        return token
    if token in syntax.line_comments:
        return "\n"
    return dict(syntax.block_comments).get(token)


def _region(text: str, start: int, after: int, closer: str, comment: bool, syntax: Syntax) -> Region:
    """Return the region begun at ``start`` whose content begins at ``after``."""
    for found in _ends(closer, comment, closer in syntax.quotes).finditer(text, after):
        token = found.group()
        if token == closer:
            return Region(start, found.end(), closer, comment, closed=True)
        if token == "\n":
            return Region(start, found.start(), closer, comment, closed=True, broken=True)
    return Region(start, len(text), closer, comment, closed=False)


@cache
def _ends(closer: str, comment: bool, short: bool) -> re.Pattern[str]:
    parts = [] if comment else [r"\\[\s\S]"]
    return re.compile("|".join([*parts, re.escape(closer), *(["\n"] if short else [])]))


@cache
def _tokens(syntax: Syntax) -> re.Pattern[str]:
    blocks = tuple(opener for opener, _ in syntax.block_comments)
    # A lone apostrophe is a lifetime in Rust; a character literal may hold a quote or a bracket.
    literal = [] if "'" in _strings(syntax) or not _strings(syntax) else [r"'(?:\\.|[^'\\\n])'"]
    # A hash within a word begins no comment (``$#``, ``${x#y}``, colours, fragments).
    comments = (r"(?<!\S)#" if mark == "#" else re.escape(mark) for mark in syntax.line_comments)
    words = [*map(re.escape, blocks), *comments, *map(re.escape, _strings(syntax))]
    return re.compile("|".join([*literal, *words, r"[()\[\]{}]"]))

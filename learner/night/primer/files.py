"""Which files of a project are handwritten code of its language."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learner.file_examples import source_lines
from learner.languages import language_of
from learner.night.primer.archives import read_members
from learner.night.primer.fetch import code_archive
from learner.night.primer.licences import terms_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from learner.night.primer.projects import Project

LEAST_BYTES, MOST_BYTES = 600, 100_000
LEFT_OUT = re.compile(
    # Test data, bundled code of others, and what was made by a program.
    r"(^|/)(test[-_]?data|fixtures?|snapshots?|_?vendor(ed)?|third[-_]?party|external|extern|deps|node_modules|"
    r"dist|build|out|cjs|esm|_esm|_cjs|umd|generated|gen|locales?|migrations|\.git)/"
    r"|\.min\.|\.bundle\.|[._-](pb|pb2|generated|gen)\.|(^|/)(package-lock|yarn\.lock)|\.d\.[mc]?ts$"
    r"|_version\.py$|(^|/)amalgamat",
    re.IGNORECASE,
)
_SHELL = re.compile(rb"#!\s*\S*/(env\s+)?(ba|z|da|k)?sh\b")
_RELATED = {
    "cpp": {"cpp", "c"},  # A header of C++ ends as one of C.
    "javascript": {"javascript", "javascriptreact"},
    "typescript": {"typescript", "typescriptreact"},
}


@dataclass(frozen=True)
class Code:
    """A file of a project."""

    path: str
    """Relative to the project."""
    lines: list[str]
    """With their endings."""


def code_files(project: Project, folder: Path) -> Iterator[Code]:
    """Yield the project's files that examples may be drawn from, sorted by path.

    Raises:
        PrimerError: the project's own metadata forbid their use, or its archive cannot be read.
    """
    terms = terms_of(project, folder)

    def is_wanted(name: str, size: int) -> bool:
        fits = LEAST_BYTES <= size <= MOST_BYTES and not LEFT_OUT.search(name)
        return (
            fits and (_is_of(name, project.language) or _may_be_script(name, project)) and terms.cover(name)
        )

    found: dict[str, list[str]] = {}
    for name, content in read_members(code_archive(folder), is_wanted):
        path = name if language_of(name) else f"{name}.sh"
        if path != name and not _SHELL.match(content):
            continue
        if (lines := source_lines(content)) is not None and "\r" not in lines[0]:
            found[path] = lines
    for path in sorted(found):
        yield Code(path, found[path])


def _is_of(name: str, language: str) -> bool:
    return language_of(name) in _RELATED.get(language, {language})


def _may_be_script(name: str, project: Project) -> bool:
    """Whether the file may be a shell script that says so in its first line alone."""
    return project.language == "shellscript" and "." not in name.rpartition("/")[2]

"""Which projects the primer is made of, and whether a licence lets their code be used."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class PrimerError(Exception):
    """The primer cannot be made; the message names the thing, the value and the remedy."""


class Registry(StrEnum):
    """Where a project comes from, and with which client."""

    PYPI = "pypi"
    """A wheel, by pip."""
    NPM = "npm"
    """A package's tarball, by npm."""
    DEBIAN = "debian"
    """A package as it is installed, by apt-get: of languages that need no compiling."""
    DEBIAN_SOURCE = "debian-source"
    """A source package, by apt-get."""


class Part(StrEnum):
    TRAINING = "training"
    VALIDATION = "validation"
    """Never trained on: its log-loss tells whether training helps."""


@dataclass(frozen=True)
class Project:
    """One release of one project."""

    name: str
    version: str
    registry: Registry
    language: str
    """The LSP id of the language that it is taken for; its files in other languages are left out."""
    licence: str
    """As the package's own metadata say it."""
    part: Part
    sha256: str
    """Of the file that holds the code, hexadecimal."""

    @property
    def label(self) -> str:
        return f"{self.name} {self.version} ({self.registry})"


LISTED = files("models.primers") / "projects.json"


def read_projects(listed: Path | None = None) -> list[Project]:
    """Return the projects that ``listed`` (the shipped list if None) names, in its order.

    Raises:
        PrimerError: it cannot be read, names a project twice, or one whose licence is not permissive.
    """
    source = listed or LISTED
    try:
        rows = json.loads(source.read_text(encoding="utf-8"))
        projects = [
            Project(**{**row, "registry": Registry(row["registry"]), "part": Part(row["part"])})
            for row in rows
        ]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise PrimerError(f"{source} is no list of projects: {error}; mend it by hand") from None
    names = [(project.registry, project.name) for project in projects]
    if twice := {name for name in names if names.count(name) > 1}:
        raise PrimerError(f"{source} names {min(twice)[1]} twice; take one out")
    for project in projects:
        if not is_permissive(project.licence):
            raise PrimerError(f"{project.label} has the licence {project.licence!r}; take it out of {source}")
    return projects


def to_json(projects: Sequence[Project]) -> str:
    """Return the list as the file holds it: one project a line."""
    return "[\n" + ",\n".join(f"  {json.dumps(asdict(project))}" for project in projects) + "\n]\n"


_PERMISSIVE = re.compile(
    r"""(
        expat | mit | isc | 0bsd
        | ((new|modified)\ )?bsd ([-\ ][234])? ([-\ ]clause)?
        | apache ([-\ ]software)? ([-\ ]license)? ,? ([-\ ](version\ )?v?2(\.0)?)?
        | psf (-2(\.0)?)? | python-2(\.0)?
    )
    ([-\ ]licen[sc]e)?
    (~[\w.+-]+)?  # Debian names variants so.
    """,
    re.IGNORECASE | re.VERBOSE,
)


def is_permissive(licence: str) -> bool:
    """Whether the expression (SPDX's or Debian's) allows MIT, BSD, ISC, Apache-2.0 or PSF terms.

    Of alternatives one suffices; of licences that hold together, each must be permissive.
    """
    alternatives = re.split(r"\bor\b|/", licence, flags=re.IGNORECASE)
    return any(_all_permissive(alternative) for alternative in alternatives)


def _all_permissive(licence: str) -> bool:
    together = re.split(r"\band\b|;", licence.strip(" ()"), flags=re.IGNORECASE)
    return all(
        _PERMISSIVE.fullmatch(re.sub(r"(?i)\s+with\s.*$", "", one.strip(" (),"))) is not None
        for one in together
    )

"""What a package's own metadata say of its licence, and which of its files that covers."""

from __future__ import annotations

import email
import fnmatch
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learner.night.primer.archives import read_members
from learner.night.primer.fetch import code_archive
from learner.night.primer.projects import PrimerError, Registry, is_permissive

if TYPE_CHECKING:
    from pathlib import Path

    from learner.night.primer.projects import Project


@dataclass(frozen=True)
class Terms:
    """A package's licence, and where files of it have another one."""

    licence: str
    forbidden: tuple[str, ...] = ()
    """Patterns (Debian's: ``*`` and ``?`` match slashes too) of files that have no permissive licence."""

    def cover(self, path: str) -> bool:
        """Whether the file at ``path`` may be used.

        Packages install files elsewhere than the sources have them, so a pattern counts from any folder on.
        """
        parts = path.split("/")
        tails = ["/".join(parts[number:]) for number in range(len(parts))]
        return not any(fnmatch.fnmatchcase(tail, pattern) for pattern in self.forbidden for tail in tails)


def terms_of(project: Project, folder: Path) -> Terms:
    """Return the terms that the package itself states.

    Raises:
        PrimerError: it states none, others than the list does, or none that is permissive.
    """
    terms = stated_terms(project.registry, folder)
    if terms.licence != project.licence or not is_permissive(terms.licence):
        raise PrimerError(
            f"{project.label} says that its licence is {terms.licence!r}, not {project.licence!r}; "
            "take it out of the list or mend it"
        )
    return terms


def stated_terms(registry: Registry, folder: Path) -> Terms:
    """Return what the files in ``folder`` say, permissive or not; an empty licence where they say nothing."""
    archive = code_archive(folder)
    if registry is Registry.PYPI:
        return Terms(_of_wheel(_only(archive, r"[^/]+\.dist-info/METADATA")))
    if registry is Registry.NPM:
        return Terms(str(json.loads(_only(archive, r"[^/]+/package\.json") or "{}").get("license", "")))
    if registry is Registry.DEBIAN:
        return _of_debian(_only(archive, r"usr/share/doc/[^/]+/copyright"))
    (packaging,) = folder.glob("*.debian.tar.*")
    return _of_debian(_only(packaging, r"debian/copyright"))


def _only(archive: Path, pattern: str) -> str:
    """Return the text of the archive's first member whose name matches; empty where there is none."""
    members = read_members(archive, lambda name, _: re.fullmatch(pattern, name) is not None)
    return next((content.decode("utf-8", "replace") for _, content in members), "")


def _of_wheel(metadata: str) -> str:
    """Read core metadata: the licence's expression, else its classifiers, else its free text."""
    fields = email.message_from_string(metadata)
    if expression := fields["License-Expression"]:
        return str(expression).strip()
    classifiers = [str(line).split(" :: ") for line in fields.get_all("Classifier", [])]
    named = [parts[-1] for parts in classifiers if parts[0] == "License" and parts[-1] != "OSI Approved"]
    # Some put their licence's whole text into the field.
    return "; ".join(named) or str(fields["License"] or "").split("\n")[0].strip()


def _of_debian(copyright_file: str) -> Terms:
    """Read a ``copyright`` file in Debian's machine-readable format, version 1.0."""
    parts = re.split(r"\n\s*\n", copyright_file)
    stanzas = [email.message_from_string(part) for part in parts if part.strip()]
    found = [
        (pattern, str(stanza["License"]).split("\n")[0].strip())
        for stanza in stanzas
        if stanza["Files"] and stanza["License"]
        for pattern in str(stanza["Files"]).replace(",", " ").split()
    ]
    whole = next((licence for pattern, licence in found if pattern == "*"), "")
    return Terms(whole, tuple(pattern for pattern, licence in found if not is_permissive(licence)))

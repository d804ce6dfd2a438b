"""Real projects that are newer than the models: fetched from the package index, read, never run.

That they are newer is the package index's word: ``first_upload`` is the upload time of a project's oldest
file there (``--dates`` asks again). The models' training data ends before 2025.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import urllib.request
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from report import SCRATCH

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Project:
    """One release, as a wheel."""

    name: str
    version: str
    sha256: str
    first_upload: str
    """The day of the project's first release."""


REPORTING = (
    Project(
        "qwenpaw",
        "2.2.2.post1",
        "5ac4b86940870edb76c29ba4fdcbf9f144693d74ac0dbcc221ef60c85adfdee7",
        "2026-04-09",
    ),
    Project(
        "hermes-agent",
        "0.19.0",
        "bd0bac012aee38a60894781f4597dc29ee7bedb3448540249921f10d3bef327f",
        "2026-05-14",
    ),
    Project(
        "openjarvis",
        "1.0.4",
        "bab990d3c52187e99c465ca2a483001dd6a36cb4232b8e8dcc3f307ac85fc82f",
        "2026-04-11",
    ),
)
"""For figures. (qwenpaw was called copaw before, first uploaded on 2026-02-12.)"""
DEVELOPMENT = (
    Project(
        "mistral-vibe",
        "3.0.3",
        "28a2b1f6ae8580853492f2d1aca883901fc4dc062ce484a6057acc0a0bf38521",
        "2025-11-17",
    ),
    Project(
        "nanobot-ai",
        "0.3.5",
        "8cfbfb7e90473f32364b6692ab0bb82bf51688f03624eb436b3459b2d4941b98",
        "2026-02-13",
    ),
)
"""For choosing settings: used while building, and so in no figure that is reported."""
SPARE = Project(
    "ouroboros-ai",
    "0.59.9",
    "229976a74a3bdbaa771d9f0bc717fab5a520319494b85cd96d36e7b3a7675eb3",
    "2026-01-27",
)


def fetch(project: Project, into: Path = SCRATCH / "projects") -> Path:
    """Return the folder with the project's Python files, downloaded and unpacked where it is missing.

    Raises:
        SystemExit: pip cannot fetch it, or the file is another than the one measured before.
    """
    folder = into / f"{project.name}-{project.version}"
    if not folder.is_dir():
        wheel = _download(project, into)
        with zipfile.ZipFile(wheel) as archive:
            unfinished = folder.with_suffix(".part")
            archive.extractall(unfinished, [name for name in archive.namelist() if name.endswith(".py")])
        unfinished.rename(folder)
    return folder


def first_upload(project: Project) -> str:
    """Return the day of the oldest file that the package index has of the project."""
    from pip._internal.models.index import PyPI  # the index that pip itself uses by default

    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    request = urllib.request.Request(f"{PyPI.simple_url}/{project.name}/", headers=accept)
    with urllib.request.urlopen(request, timeout=60) as response:
        page = response.read().decode()
    # Mirrors answer with JSON or with HTML; both have the same attribute.
    return min(re.findall(r'upload-time"?\s*[=:]\s*"([^"]+)"', page))[:10]


def _download(project: Project, into: Path) -> Path:
    into.mkdir(parents=True, exist_ok=True)
    # Any Python version: the code is only read.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--python-version", "3.13", "--dest", str(into), f"{project.name}=={project.version}"]
    if subprocess.run(command, check=False).returncode:
        raise SystemExit(
            f"pip could not fetch {project.name} {project.version}; is the package index reachable?"
        )
    stem = project.name.replace("-", "_")
    wheel = next(into.glob(f"{stem}-{project.version}-*.whl"))
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != project.sha256:
        raise SystemExit(f"{wheel.name} has sha256 {found}, not {project.sha256}; the index has another file")
    return wheel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dates", action="store_true", help="ask the package index for the first uploads")
    options = parser.parse_args()
    for project in (*REPORTING, SPARE, *DEVELOPMENT):
        if options.dates:
            print(project.name, first_upload(project))
        else:
            print(fetch(project))


if __name__ == "__main__":
    main()

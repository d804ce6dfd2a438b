"""Histories of real projects: successive releases as wheels, or the same as the commits of a git repository.

Their code is read, never run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

from packaging.version import Version
from projects import REPORTING, SPARE
from report import SCRATCH

if TYPE_CHECKING:
    from pathlib import Path

    from projects import Project

LEAST_RELEASES = 8
REPLAYED = (*(project for project in REPORTING if project.name != "openjarvis"), SPARE)
"""For figures. (openjarvis has six releases.)"""
DAY_S = 86_400
FIRST_COMMIT = 1_767_225_600
"""The first of January 2026, in unix seconds: the commits' days are invented, their order is not."""
_ANY_PYTHON = ("--only-binary=:all:", "--python-version", "3.13")


def releases(project: Project, count: int) -> Path:
    """Return a folder with about ``count`` releases of the project up to its pinned one, as wheels.

    They are spread over all that there are.

    Raises:
        SystemExit: the package index has too few, or cannot be reached.
    """
    folder = SCRATCH / "releases" / f"{project.name}-{project.version}-{count}"
    if folder.is_dir():
        return folder
    unfinished = folder.with_suffix(".part")
    unfinished.mkdir(parents=True, exist_ok=True)
    versions = _versions(project)
    for version in versions[:: -max(1, len(versions) // count)]:
        # A release without a wheel is passed over: one form of all is replayed.
        command = ("download", "--quiet", "--no-deps", *_ANY_PYTHON, "--dest", unfinished)
        _pip(*command, f"{project.name}=={version}")
    if (found := len(list(unfinished.glob("*.whl")))) < LEAST_RELEASES:
        raise SystemExit(f"{project.name} has {found} releases as wheels, fewer than {LEAST_RELEASES}")
    unfinished.rename(folder)
    return folder


def repository(project: Project, count: int) -> Path:
    """Return a git repository with a commit for each of the project's :func:`releases`, a day apart."""
    wheels = sorted(releases(project, count).glob("*.whl"), key=lambda path: Version(path.name.split("-")[1]))
    folder = SCRATCH / "histories" / f"{project.name}-{project.version}-{count}"
    if folder.is_dir():
        return folder
    unfinished = folder.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    _git(unfinished, "init", "--quiet", "--initial-branch=main")
    for number, wheel in enumerate(wheels):
        for path in unfinished.iterdir():
            if path.name != ".git":
                shutil.rmtree(path)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(unfinished, [name for name in archive.namelist() if name.endswith(".py")])
        _git(unfinished, "add", "--all")
        day = f"{FIRST_COMMIT + number * DAY_S} +0000"
        _git(unfinished, "commit", "--quiet", "--allow-empty", "--message", wheel.name, day=day)
    unfinished.rename(folder)
    return folder


def _versions(project: Project) -> list[str]:
    """Return the versions up to the pinned one, oldest first."""
    told = _pip("index", "versions", project.name, *_ANY_PYTHON, "--json")
    if told is None:
        raise SystemExit(f"pip cannot list the releases of {project.name}; is the package index reachable?")
    known = sorted(map(Version, json.loads(told)["versions"]))
    return [str(version) for version in known if version <= Version(project.version)]


def _pip(*words: object) -> str | None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", *map(str, words)], stdout=subprocess.PIPE, text=True, check=False
    )
    return None if done.returncode else done.stdout


def _git(folder: Path, *words: str, day: str = "") -> None:
    who = {f"GIT_{role}_{what}": "history" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    when = {"GIT_AUTHOR_DATE": day, "GIT_COMMITTER_DATE": day} if day else {}
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", "-C", folder, *words], env=os.environ | who | when | own, check=True)

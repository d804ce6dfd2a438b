"""Fetching a project's release by its registry's own client: what is here is not asked for again."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING

from learner.night.primer.projects import PrimerError, Registry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from learner.night.primer.projects import Project

SUITE = "trixie"
"""Debian's release that packages are taken from."""
TIMEOUT_S = 600


class Fetcher:
    """Downloads into ``cache``, one folder per project."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._apt: list[str] | None = None

    def fetch(self, project: Project) -> Path:
        """Return the folder that holds the project's files as the registry serves them.

        Raises:
            PrimerError: the registry does not serve it, or serves another file than the one listed.
        """
        name = project.name.replace("/", "__")
        folder = self._cache / f"{project.registry}-{name}-{project.version.replace(':', '_')}"
        if not folder.is_dir():
            part = folder.with_name(f"{folder.name}.part")
            part.mkdir(parents=True, exist_ok=True)
            self._download(project, part)
            part.rename(folder)
        found = hashlib.sha256(code_archive(folder).read_bytes()).hexdigest()
        if found != project.sha256:
            raise PrimerError(
                f"{project.label} has sha256 {found}, but {project.sha256 or 'none'} is listed; "
                f"delete {folder} to fetch it again, or mend the list"
            )
        return folder

    def _download(self, project: Project, into: Path) -> None:
        if project.registry is Registry.PYPI:
            # A wheel: to learn a source distribution's name, pip would run its build. The code is only read.
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
            pip += ["--retries", "5", "--python-version", "3.13", "--dest", "."]
            _run([*pip, f"{project.name}=={project.version}"], into, project)
        elif project.registry is Registry.NPM:
            npm = ["npm", "pack", "--silent", "--ignore-scripts", "--fetch-retries=5"]
            _run([*npm, f"{project.name}@{project.version}"], into, project)
        else:
            self._apt = self._apt or _private_apt((self._cache / "apt").resolve())
            is_source = project.registry is Registry.DEBIAN_SOURCE
            words = ["source", "--download-only"] if is_source else ["download"]
            _run([*self._apt, *words, f"{project.name}={project.version}"], into, project)


def code_archive(folder: Path) -> Path:
    """Return the archive with the code among a project's files: wheel, tarball, package or ``.orig``."""
    found = [
        path
        for path in folder.iterdir()
        if path.suffix in (".whl", ".tgz", ".deb") or (".orig.tar." in path.name and path.suffix != ".asc")
    ]
    if len(found) != 1:
        raise PrimerError(
            f"{folder} holds {len(found)} archives of code, not one; delete it to fetch it again"
        )
    return found[0]


def _private_apt(root: Path) -> list[str]:
    """Return an apt-get that knows :data:`SUITE`'s sources, and leaves the machine's own lists alone."""
    for name in ("state/lists/partial", "cache/archives/partial", "preferences"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "status").touch()
    mirror = _mirror(root)
    key = "/usr/share/keyrings/debian-archive-keyring.gpg"
    sources = (f"{kind} [signed-by={key} arch=amd64] {mirror} {SUITE} main\n" for kind in ("deb", "deb-src"))
    (root / "sources.list").write_text("".join(sources))
    options = {
        "Dir::Etc::sourcelist": root / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::Etc::preferencesparts": root / "preferences",
        "Dir::State": root / "state",
        "Dir::State::status": root / "status",
        "Dir::Cache": root / "cache",
        "APT::Architecture": "amd64",
        "APT::Sandbox::User": "root",
        "Acquire::Retries": 5,
    }
    apt = ["apt-get", "-qq", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
    _run([*apt, "update"], root)
    return apt


def _mirror(root: Path) -> str:
    """Return the address of the Debian archive that this machine's apt is set up for."""
    listed = _run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], root)
    for address in listed.split():
        if address.rstrip("/").endswith("/debian"):
            return address
    raise PrimerError("apt-get knows no Debian archive; run this on Debian, with its sources set up")


def _run(command: Sequence[str], where: Path, project: Project | None = None) -> str:
    what = f"fetch {project.label}" if project else f"set up {command[0]}"
    try:
        done = subprocess.run(
            command, cwd=where, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        raise PrimerError(f"cannot {what}: {command[0]} is not installed; install it") from None
    except subprocess.TimeoutExpired:
        raise PrimerError(f"cannot {what}: no end after {TIMEOUT_S} s; the same command goes on") from None
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise PrimerError(f"cannot {what}: {last}; is the registry reachable? The same command goes on")
    return done.stdout

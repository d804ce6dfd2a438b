"""Small made repositories, and an engine that answers what a test tells it to."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from models.engine import Candidate, Completion, Request, Scored, Timings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from models.line_end import End
    from models.prompt import Prompt

_IDENTITY = {
    "GIT_AUTHOR_NAME": "d",
    "GIT_AUTHOR_EMAIL": "d@example.org",
    "GIT_COMMITTER_NAME": "d",
    "GIT_COMMITTER_EMAIL": "d@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


class Repository:
    """A git repository, committed to step by step at made times."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        self._at = 1_700_000_000
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        when = {"GIT_AUTHOR_DATE": f"{self._at} +0000", "GIT_COMMITTER_DATE": f"{self._at} +0000"}
        done = subprocess.run(
            ["git", "-C", str(self.root), *arguments],
            env={**os.environ, **_IDENTITY, **when},
            capture_output=True,
            check=True,
        )
        return done.stdout.decode()

    def commit(self, files: Mapping[str, str | bytes | None]) -> str:
        """Write the files (None deletes one) and commit everything; return the commit."""
        self._at += 3600
        for name, content in files.items():
            path = self.root / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "step")
        return self.git("rev-parse", "HEAD").strip()


def function(name: str, number: int) -> str:
    """Return a function of handwritten code; no line of it but the last is in another one's."""
    return (
        f"\n\ndef {name}_{number}(value, other):\n"
        f"    {name}_total_{number} = value + other * {number}\n"
        f"    if {name}_total_{number} > {number}:\n"
        f"        return {name}_total_{number}\n"
        "    return other\n"
    )


def growing(root: Path, commits: int = 6, names: tuple[str, ...] = ("alpha", "beta", "gamma")) -> Repository:
    """Return a repository of one file per name, each longer by a function with every commit."""
    repository = Repository(root)
    texts = dict.fromkeys(names, '"""A module."""\n')
    for number in range(commits):
        for name in names:
            texts[name] += function(name, number)
        repository.commit({f"package/{name}.py": text for name, text in texts.items()})
    return repository


class MadeEngine:
    """Implements what the replay asks of an engine; keeps what it was asked."""

    def __init__(self, says: Callable[[Request], str]) -> None:
        self.says = says
        self.requests: list[Request] = []
        self.scored: list[tuple[Prompt, str]] = []
        self.adapters: list[Path | None] = []

    async def complete(self, request: Request) -> Completion | None:
        self.requests.append(request)
        candidate = Candidate(self.says(request), (-0.1, -0.2), "newline")
        return Completion((candidate,), Timings(), "0" * 64, "made-1")

    async def score(self, prompt: Prompt, target: str, end: End) -> Scored:
        self.scored.append((prompt, target))
        return Scored((-0.5,) * max(1, len(target)), (0,) * max(1, len(target)))

    async def use_adapter(self, path: Path | None) -> None:
        self.adapters.append(path)

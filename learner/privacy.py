"""What may be seen: which files, and which of their text. All that is recorded or prompted passes here."""

from __future__ import annotations

from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pathspec import GitIgnoreSpec

from learner.secret_scan import (
    PLACEHOLDER,
    Span,
    key_block_spans,
    line_spans,
    load_detectors,
    may_hold_key_block,
    merge,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PRIVATE_NAMES = (
    ".env*",
    ".envrc",
    "*.env",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    "*.asc",
    "*.gpg",
    "*.age",
    "id_*",
    ".npmrc",
    ".yarnrc*",
    ".pypirc",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".my.cnf",
    ".htpasswd",
    ".git-credentials",
    ".dockercfg",
    ".docker/config.json",
    ".kube/config",
    ".aws/",
    ".ssh/",
    ".gnupg/",
    "secrets.*",
    "*.secrets",
    "credentials",
    "credentials.*",
    "service-account*.json",
    "*.tfvars",
    "*.tfstate*",
    "*.vault",
)
"""Files whose text is never read into a prompt nor recorded, in .gitignore's syntax; case does not count."""


SHORT = 500
"""Code points of texts that are remembered as a whole, not by line."""


class PrivacyFilter:
    """Decides what may be recorded or used as context; safe to call from any thread.

    ``allows`` looks at ``.gitignore`` files on the disk (re-read when they change); ``has_secret`` and
    ``redact`` work in memory and remember each line they have seen, since contexts repeat. The first of
    these calls loads the scanner (0.1 s): :meth:`load` does it ahead of time.
    """

    def __init__(self, roots: Sequence[Path], ignore: Sequence[str] = ()) -> None:
        """Filter for workspaces at ``roots``; ``ignore`` has the user's own patterns (.gitignore syntax)."""
        self._roots = [Path(root) for root in roots]
        self._private = GitIgnoreSpec.from_lines(p.lower() for p in (*PRIVATE_NAMES, *ignore))
        self._ignore_files: dict[Path, tuple[int, GitIgnoreSpec | None]] = {}

    def load(self) -> None:
        """Load the scanner now rather than at the first text."""
        self._line_spans("")

    def allows(self, path: Path) -> bool:
        """Return whether the file's text may be used: not a private name, not ignored by git or the user."""
        try:
            names = {path, path.resolve()}
        except (OSError, RuntimeError):  # A link to itself leads to no text.
            return False
        return not any(self._is_private(p) or self._is_ignored(p) for p in names)

    def has_secret(self, text: str) -> bool:
        return bool(self._spans(text))

    def redact(self, text: str) -> str:
        """Return the text with each secret replaced by a placeholder of as many lines."""
        return self.redact_parts(text)[0]

    def redact_parts(self, *parts: str) -> tuple[str, ...]:
        """Return the parts of one text redacted; a secret that is cut by a boundary is found all the same."""
        text = "".join(parts)
        # Short ones are offers and what became of them: the same few, again and again.
        spans = self._short_spans(text) if len(text) < SHORT else self._spans(text)
        if not spans:
            return parts
        ends = [0]
        for part in parts:
            ends.append(ends[-1] + len(part))
        return tuple(_cut(text, start, end, spans) for start, end in pairwise(ends))

    def _spans(self, text: str) -> tuple[Span, ...]:
        lines = text.split("\n")
        # Most texts are all known lines without a secret: this is the fast way through.
        per_line = list(map(self._line_spans, lines))
        blocks = tuple(key_block_spans(text)) if may_hold_key_block(text) else ()
        if not blocks and not any(per_line):
            return ()
        spans = [*blocks]
        start = 0
        for line, found in zip(lines, per_line, strict=True):
            spans += [(start + begin, start + end) for begin, end in found]
            start += len(line) + 1
        return merge(spans)

    @cached_property
    def _short_spans(self) -> Callable[[str], tuple[Span, ...]]:
        return lru_cache(maxsize=4096)(self._spans)

    @cached_property
    def _line_spans(self) -> Callable[[str], tuple[Span, ...]]:
        detectors: list[Any] = load_detectors()
        return lru_cache(maxsize=16384)(lambda line: line_spans(line, detectors))

    def _is_private(self, path: Path) -> bool:
        within = [path.relative_to(root) for root in self._roots if path.is_relative_to(root)]
        # Outside of every workspace the whole path counts, as in ~/.ssh/config.
        return any(self._private.match_file(p.as_posix().lower().lstrip("/")) for p in within or [path])

    def _is_ignored(self, path: Path) -> bool:
        return any(self._ignored_below(root, path) for root in self._roots if path.is_relative_to(root))

    def _ignored_below(self, root: Path, path: Path) -> bool:
        """Walk down as git does: a file below an ignored directory cannot be included again."""
        steps = path.relative_to(root).parts
        folders = [root]
        for number, name in enumerate(steps):
            here = folders[-1] / name
            is_folder = number < len(steps) - 1
            if self._verdict(folders, here, is_folder):
                return True
            folders.append(here)
        return False

    def _verdict(self, folders: list[Path], path: Path, is_folder: bool) -> bool:
        """Return what the nearest ignore file that says anything about the path says."""
        for folder in reversed(folders):
            if (spec := self._spec(folder)) is not None:
                relative = path.relative_to(folder).as_posix() + ("/" if is_folder else "")
                include = spec.check_file(relative).include
                if include is not None:
                    return include
        return False

    def _spec(self, folder: Path) -> GitIgnoreSpec | None:
        file = folder / ".gitignore"
        try:
            changed = file.stat().st_mtime_ns
        except OSError:
            return None
        known = self._ignore_files.get(file)
        if known is None or known[0] != changed:
            try:
                lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError:
                return None
            known = self._ignore_files[file] = (changed, GitIgnoreSpec.from_lines(lines))
        return known[1]


def _cut(text: str, start: int, end: int, spans: tuple[Span, ...]) -> str:
    """Return ``text[start:end]`` with the spans in it replaced."""
    pieces: list[str] = []
    position = start
    for begin, stop in spans:
        begin, stop = max(begin, start), min(stop, end)
        if begin < stop:
            pieces += [text[position:begin], PLACEHOLDER, "\n" * text.count("\n", begin, stop)]
            position = stop
    return "".join([*pieces, text[position:end]])

"""What the developer can set: parsed once, where the client's settings come in."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from learner.window import Budget

if TYPE_CHECKING:
    from collections.abc import Mapping

ADAPTIVE = "adaptive"
MOST_GATE = 0.9
"""A higher threshold would keep back what is all but sure."""


@dataclass(frozen=True)
class Settings:
    """The settings as ``initializationOptions`` and ``workspace/didChangeConfiguration`` carry them.

    Raises:
        ValueError: a field has a value that it cannot have; the message names both and the remedy.
    """

    enabled: bool = True
    """Off stops the engine as well as the ghost text."""
    languages: Mapping[str, bool] = field(default_factory=dict)
    """On or off by language id; ``*`` stands for those not named."""
    disabled_paths: tuple[str, ...] = ()
    """Globs, in the manner of ``.gitignore``, of files to stay silent in."""
    ignore: tuple[str, ...] = ()
    """Globs of files that are neither completed, nor shown to the model, nor recorded."""
    in_comments: bool = True
    """Whether comments and docstrings are completed."""
    multi_line: bool = True
    """Whether a block's body may be offered where one is being opened; else one line at a time."""
    max_tokens: int = 96
    """The longest completion, in tokens."""
    memory: bool = True
    """Whether what settled in like places is remembered, offered and shown to the model."""
    gate: float = 0.25
    """Offers with less than this chance of being accepted are kept back; 0 shows all. What is asked for by
    hand is always shown."""
    debounce: int | str = ADAPTIVE
    """Milliseconds to wait after a keystroke, or ``adaptive``."""
    snooze_minutes: int = 10
    """How long ``nightschool.snooze`` keeps silent when it is not told."""
    model: str | None = None
    """A name of the catalogue or the path of a GGUF file; None takes what ``nightschool model use`` chose."""
    threads: int | None = None
    """Decoding threads; None takes what was measured to be fastest."""
    context: Budget = field(default_factory=Budget)
    """How much of the file and the workspace a prompt shows: an object with some of the budget's fields."""
    completion_items: bool = False
    """Offer the same text as an ordinary completion item, for editors without ghost text."""
    micro_nights: bool = True
    """Whether the server may train for a while when nobody types, after a first whole night of yours."""

    def __post_init__(self) -> None:
        for name in ("enabled", "in_comments", "multi_line", "memory", "completion_items", "micro_nights"):
            _check(self, name, isinstance(getattr(self, name), bool), "true or false")
        for name, low, high in (("max_tokens", 1, 512), ("snooze_minutes", 1, 10_080)):
            _check(
                self, name, _is_within(getattr(self, name), low, high), f"a whole number from {low} to {high}"
            )
        _check(self, "threads", self.threads is None or _is_within(self.threads, 1, 256), "null or 1 to 256")
        _check(self, "gate", _is_share(self.gate), "a number from 0 (show all) to 0.9")
        waits = self.debounce == ADAPTIVE or _is_within(self.debounce, 0, 5000)
        _check(self, "debounce", waits, f'"{ADAPTIVE}" or 0 to 5000 (milliseconds)')
        _check(self, "model", self.model is None or isinstance(self.model, str), "null, a name or a path")
        switches = isinstance(self.languages, dict) and all(
            isinstance(on, bool) for on in self.languages.values()
        )
        _check(self, "languages", switches, 'an object such as {"markdown": false}')
        for name in ("disabled_paths", "ignore"):
            globs = getattr(self, name)
            _check(
                self,
                name,
                isinstance(globs, tuple) and _are_globs(globs),
                "a list of globs, as in .gitignore",
            )

    def allows_language(self, language: str) -> bool:
        return self.languages.get(language, self.languages.get("*", True))


def parse_settings(raw: object) -> tuple[Settings, list[str]]:
    """Return the settings that ``raw`` holds (or holds under ``nightschool``), and what is wrong with it.

    A bad value takes its default, and the others stand.
    """
    if raw is None:
        return Settings(), []
    if isinstance(raw, dict) and "nightschool" in raw:
        raw = raw["nightschool"] or {}
    if not isinstance(raw, dict):
        return Settings(), [f"settings must be an object, not {raw!r}; all defaults are used"]
    settings, problems = Settings(), []
    known = {each.name for each in fields(Settings)}
    for name, value in raw.items():
        if name not in known:
            problems.append(
                f"setting {name!r} is unknown and was passed over; known are {', '.join(sorted(known))}"
            )
            continue
        try:
            settings = replace(settings, **{name: _parsed(name, value)})
        except ValueError as error:
            problems.append(f"{error}; its default, {getattr(Settings(), name)!r}, is used")
    return settings, problems


def _parsed(name: str, value: Any) -> Any:
    if name == "context":
        known = {each.name for each in fields(Budget)}
        if not isinstance(value, dict) or not known.issuperset(value):
            raise ValueError(
                f"setting 'context' is {value!r}, but must be an object of {', '.join(sorted(known))}"
            )
        return Budget(**value)
    return tuple(value) if isinstance(value, list) else value


def _is_within(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_GATE


def _are_globs(globs: tuple[str, ...]) -> bool:
    if not globs:
        return True
    if not all(isinstance(glob, str) for glob in globs):
        return False
    # Imported here: few set a glob, and everybody waits for the imports of a starting server.
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines(globs)
    except ValueError:
        return False
    return True


def _check(settings: Settings, name: str, fits: bool, expected: str) -> None:
    if not fits:
        raise ValueError(f"setting {name!r} is {getattr(settings, name)!r}, but must be {expected}")

"""Why no ghost text is offered: absence is an answer, not an error."""

from __future__ import annotations

from enum import StrEnum


class Declined(StrEnum):
    OFF = "off"
    SNOOZED = "snoozed"
    LANGUAGE_OFF = "language_off"
    PATH_OFF = "path_off"
    IN_COMMENT = "in_comment"
    IGNORED_FILE = "ignored_file"
    NOT_OPEN = "not_open"
    TOO_LARGE = "too_large"
    NO_MODEL = "no_model"
    ENGINE_FAILED = "engine_failed"
    SUPERSEDED = "superseded"
    EMPTY = "empty"
    WHITESPACE = "whitespace"
    ALREADY_TYPED = "already_typed"
    REPEATS_SUFFIX = "repeats_suffix"
    REPEATS_PREFIX = "repeats_prefix"
    UNBALANCED = "unbalanced"
    CONTRADICTS_MENU = "contradicts_menu"
    """The editor's completion menu has selected something that the model does not continue."""
    REJECTED = "rejected"
    """The developer rejected the same text here, or accepted and deleted it."""
    HIDDEN = "hidden"
    """The gate expects it to be rejected."""

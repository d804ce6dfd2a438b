"""The night: from a day's outcomes to a LoRA adapter. The only package that imports torch and PEFT."""

from __future__ import annotations


class NightError(Exception):
    """The night cannot go on; the message names the thing, the value and the remedy."""

"""The day: editor in, ghost text out, outcomes followed until the text settles."""

__version__ = "0.1.0"

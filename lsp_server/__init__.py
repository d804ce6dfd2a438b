"""The day: editor in, ghost text out, outcomes followed until the text settles."""

"""Running the night by itself, through the platform's own scheduler."""

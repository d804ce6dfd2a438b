"""Memory: what settled where an offer was wrong, found again at the next like place (docs/memory.md)."""

"""Everything that learns: the ledger of outcomes, its labels, and what may never enter it."""

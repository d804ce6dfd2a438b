"""Language models, as files and as a running engine."""

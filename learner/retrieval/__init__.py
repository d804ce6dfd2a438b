"""Which pieces of a project belong to a place: what a prompt shows of other files."""

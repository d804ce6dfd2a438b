"""Whether an offer is worth showing: a calibrated P(accept), learned from what became of earlier offers."""

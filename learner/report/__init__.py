"""The report: what was offered, kept and learned, as one page without a network (docs/report.md)."""

"""Editor columns to code points and back: LSP counts UTF-8, 16 or 32 units, Python code points."""

from __future__ import annotations

from enum import StrEnum


class PositionEncoding(StrEnum):
    """What one unit of a client's ``character`` is, as negotiated when it initializes."""

    UTF8 = "utf-8"
    UTF16 = "utf-16"
    UTF32 = "utf-32"


_CONTINUATION_BYTES = bytes(range(0x80, 0xC0))


def column_of(line: str, units: int, encoding: PositionEncoding) -> int:
    """Return the code point index in ``line`` that is ``units`` from its start.

    ``units`` beyond the line give its length; units inside a character give that character's start.
    Encoding and slicing run in C, so a line of a million characters costs a millisecond.
    """
    if encoding is PositionEncoding.UTF32 or line.isascii():
        return min(max(units, 0), len(line))
    if encoding is PositionEncoding.UTF8:
        encoded = line.encode("utf-8", "surrogatepass")
        units = min(max(units, 0), len(encoded))
        while units < len(encoded) and encoded[units] in _CONTINUATION_BYTES:
            units -= 1
        return len(encoded[:units].translate(None, _CONTINUATION_BYTES))
    encoded = line.encode("utf-16-le", "surrogatepass")
    units = min(max(units, 0), len(encoded) // 2)
    column = len(encoded[: 2 * units].decode("utf-16-le", "surrogatepass"))
    inside_pair = column > 0 and units_of(line, column, encoding) > units
    return column - 1 if inside_pair else column


def units_of(line: str, column: int, encoding: PositionEncoding) -> int:
    """Return how many units the first ``column`` code points of ``line`` take."""
    head = line[:column]
    if encoding is PositionEncoding.UTF32 or head.isascii():
        return len(head)
    if encoding is PositionEncoding.UTF8:
        return len(head.encode("utf-8", "surrogatepass"))
    return len(head.encode("utf-16-le", "surrogatepass")) // 2

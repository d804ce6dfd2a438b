"""How the offers fared, from running totals: a million offers take no longer than their days and files."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable


class By(StrEnum):
    """What the offers are grouped by."""

    DAY = "day"
    LANGUAGE = "language"
    PROJECT = "project"
    ADAPTER = "adapter"


@dataclass(frozen=True)
class Stats:
    """One group of offers; rates and shares are None where there is nothing to divide by."""

    group: str
    offers: int
    shown: int
    accepted: int
    """In full, whether or not they were edited afterwards."""
    partial: int
    edited: int
    typed: int
    diverged: int
    rejected: int
    ignored: int
    unseen: int
    superseded: int
    hidden: int
    acceptance_rate: float | None
    """Accepted in full or in part, of those shown."""
    taken_chars: int
    kept_chars: int
    """Taken characters that still stood after ten minutes (or at an earlier close)."""
    kept_30s: float | None
    """Share of the taken characters that still stood after 30 seconds (or at an earlier close)."""
    kept_10min: float | None
    saved_keystrokes: int
    """Taken characters that stayed, less the one key that took them."""
    latency_p50_ms: float | None
    latency_p95_ms: float | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


_GROUPS = {
    None: "''",
    By.DAY: "day",
    By.LANGUAGE: "files.language",
    By.PROJECT: "files.project",
    By.ADAPTER: "ifnull(engines.adapter, 'base')",
}
_SUMS = (
    "accepted", "partial", "edited", "typed", "diverged", "rejected", "ignored", "unseen", "superseded",
    "hidden", "shown", "taken_chars", "kept_30s", "of_30s", "kept_10min", "of_10min", "saved_keystrokes",
)  # fmt: skip


def stats(connection: sqlite3.Connection, by: By | None = None) -> list[Stats]:
    """Return the groups in order, or one for all offers; none where nothing was offered."""
    joined = "JOIN files ON files.id = file JOIN engines ON engines.id = engine"
    rows = connection.execute(
        f"SELECT {_GROUPS[by]} AS name, {', '.join(f'sum({name})' for name in _SUMS)}"
        f" FROM totals {joined} GROUP BY name ORDER BY name"
    ).fetchall()
    latencies: dict[str, list[tuple[float, int]]] = {}
    for name, latency_ms, offers in connection.execute(
        f"SELECT {_GROUPS[by]} AS name, latency_ms, sum(offers) FROM latencies {joined}"
        " WHERE offers > 0 GROUP BY name, latency_ms ORDER BY name, latency_ms"
    ):
        latencies.setdefault(name, []).append((latency_ms, offers))
    groups = (
        _stats(name, dict(zip(_SUMS, sums, strict=True)), latencies.get(name, [])) for name, *sums in rows
    )
    return [group for group in groups if group.offers or group.hidden]


def _stats(name: str, sums: dict[str, int], latencies: list[tuple[float, int]]) -> Stats:
    outcomes = ("typed", "diverged", "rejected", "ignored", "unseen", "superseded")
    accepted = sums["accepted"] + sums["edited"]
    return Stats(
        group=name,
        offers=accepted + sums["partial"] + sum(sums[outcome] for outcome in outcomes),
        shown=sums["shown"],
        accepted=accepted,
        partial=sums["partial"],
        edited=sums["edited"],
        **{outcome: sums[outcome] for outcome in outcomes},
        hidden=sums["hidden"],
        acceptance_rate=_share(accepted + sums["partial"], sums["shown"]),
        taken_chars=sums["taken_chars"],
        kept_chars=sums["kept_10min"],
        kept_30s=_share(sums["kept_30s"], sums["of_30s"]),
        kept_10min=_share(sums["kept_10min"], sums["of_10min"]),
        saved_keystrokes=sums["saved_keystrokes"],
        latency_p50_ms=percentile(latencies, 0.50),
        latency_p95_ms=percentile(latencies, 0.95),
    )


def percentile(counted: Iterable[tuple[float, int]], share: float) -> float | None:
    """Return the nearest-rank percentile of values given in ascending order with their counts."""
    values = list(counted)
    rank = share * sum(count for _, count in values)
    seen = 0
    for value, count in values:
        seen += count
        if seen >= rank:
            return value
    return None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None

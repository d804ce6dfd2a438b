"""The bit-parallel distances against the textbook's tables."""

from hypothesis import given
from hypothesis import strategies as st

from learner.distance import LONGEST, edit_distance, kept_chars

texts = st.text(alphabet="ab(π\n", max_size=40)


def table(a: str, b: str) -> tuple[int, int]:
    """Return (longest common subsequence, Levenshtein distance) by dynamic programming."""
    kept = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    cost = [[i + j if not i * j else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i, x in enumerate(a, 1):
        for j, y in enumerate(b, 1):
            kept[i][j] = kept[i - 1][j - 1] + 1 if x == y else max(kept[i - 1][j], kept[i][j - 1])
            cost[i][j] = min(cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (x != y))
    return kept[-1][-1], cost[-1][-1]


@given(texts, texts)
def test_kept_characters_and_edit_distance_are_exact(offered: str, settled: str):
    assert (kept_chars(offered, settled), edit_distance(offered, settled)) == table(offered, settled)


def test_what_lies_beyond_the_longest_text_counts_by_length():
    assert edit_distance("a" * LONGEST, "a" * (LONGEST + 7)) == 7

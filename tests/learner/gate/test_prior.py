"""What ships is whole, small and of this version; what is damaged is named with its remedy."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest
from offers import rows

from learner.gate.features import NAMES, SIZE, Spot, features_of
from learner.gate.fitting import fit_prior
from learner.gate.gate import Gate
from learner.gate.gathering import read_rows
from learner.gate.shipped import PRIOR, PriorError, read_prior

if TYPE_CHECKING:
    from pathlib import Path


def test_the_prior_that_ships_is_small_and_sound():
    assert PRIOR.stat().st_size < 20_000
    prior = read_prior()
    assert prior.mean.shape == (SIZE,)
    assert len(prior.origin["projects"]) >= 10 and prior.origin["rows"] >= 150
    assert prior.origin["log_loss"] < prior.origin["log_loss_of_the_mean"]


def test_the_prior_that_ships_hides_what_is_hopeless_and_shows_what_is_sure():
    gate = Gate(read_prior())
    here = Spot("python", "    return ", "")
    sure = gate.p_accept(features_of(here, "self.items[key]", (-0.02,) * 6))
    hopeless = gate.p_accept(features_of(here, "self.items[key]", (-2.0, -3.0, -1.5, -2.5, -4.0, -3.0)))
    assert sure > 0.6
    assert hopeless < 0.2
    assert 0.0 < gate.threshold() <= 0.25


def test_a_written_prior_reads_the_same(prior, tmp_path: Path):
    path = tmp_path / "prior.json"
    path.write_text(prior.to_json())
    found = read_prior(path)
    assert found.mean == pytest.approx(prior.mean, abs=1e-4)
    assert found.covariance == pytest.approx(prior.covariance, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:200],
        lambda text: "[]",
        lambda text: text.replace('"bias"', '"bias of old"'),
        lambda text: json.dumps({**json.loads(text), "mean": [0.0]}),
        lambda text: json.dumps({**json.loads(text), "mean": [float("nan")] * SIZE}),
        lambda text: json.dumps({**json.loads(text), "covariance": [1.0] * (SIZE * (SIZE + 1) // 2)}),
    ],
    ids=["torn", "no object", "other features", "too short", "no number", "no belief"],
)
def test_a_damaged_prior_is_named_with_its_remedy(prior, tmp_path: Path, spoil):
    path = tmp_path / "prior.json"
    path.write_text(spoil(prior.to_json()))
    with pytest.raises(PriorError, match=r"prior\.json.*learner\.gate\.prior"):
        read_prior(path)


def test_rows_of_one_project_prove_nothing():
    with pytest.raises(ValueError, match="two projects"):
        fit_prior([row for row in rows(50) if row.project == "project1"])


def test_a_torn_last_row_is_left_out(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    whole = rows(3)
    path.write_text("".join(json.dumps(asdict(row)) + "\n" for row in whole) + '{"project": "x')
    assert read_rows(path) == whole
    assert read_rows(tmp_path / "none") == []


def test_the_names_are_of_the_features():
    assert len(NAMES) == len(set(NAMES)) == SIZE

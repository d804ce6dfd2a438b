"""What the catalogue promises: unique names, sources that fit, sizes that the real files have."""

from __future__ import annotations

import re

import pytest

from models.catalogue import CATALOGUE, DEFAULT, IndexWheels, ModelError, find
from models.choice import choose, chosen, model_path, remedy
from models.home import Home


@pytest.fixture
def place(home):
    return Home(home)


def test_names_and_files_are_unique():
    assert len({model.name for model in CATALOGUE}) == len(CATALOGUE)
    assert len({model.file for model in CATALOGUE}) == len(CATALOGUE)


def test_the_default_fills_in_the_middle_under_a_free_licence():
    model = find(DEFAULT)

    assert model.fim
    assert model.licence == "Apache-2.0"


def test_the_three_billion_model_is_marked_as_research_only():
    assert "no commercial use" in find("qwen2.5-coder-3b").licence


@pytest.mark.parametrize("model", CATALOGUE, ids=lambda model: model.name)
def test_an_index_carries_exactly_the_models_size(model):
    for source in model.sources:
        if isinstance(source, IndexWheels):
            parts = len(source.requirements)
            assert len(source.members) == parts
            assert (parts - 1) * source.part_bytes < model.size <= parts * source.part_bytes


@pytest.mark.parametrize("model", CATALOGUE, ids=lambda model: model.name)
def test_a_checksum_is_whole_or_unknown(model):
    assert model.sha256 is None or re.fullmatch("[0-9a-f]{64}", model.sha256)


def test_the_real_files_have_the_stated_sizes(smollm, qwen):
    assert smollm.stat().st_size == find("smollm2-135m").size
    assert qwen.stat().st_size == find("qwen2.5-coder-1.5b").size


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ModelError, match=r"'gpt-9'.*qwen2\.5-coder-1\.5b"):
        find("gpt-9")


def test_without_a_choice_the_default_is_in_use(place):
    assert chosen(place) == DEFAULT
    assert model_path(place).name == find(DEFAULT).file


def test_a_chosen_name_stays_chosen(place):
    choose(place, "SmolLM2-135M")

    assert chosen(place) == "smollm2-135m"
    assert model_path(place) == place.models / find("smollm2-135m").file
    assert place.choice.stat().st_mode & 0o777 == 0o600


def test_a_chosen_path_is_kept_absolute(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    choose(place, "mine.gguf")

    assert model_path(place) == tmp_path / "mine.gguf"
    assert remedy(place) == "nightschool model use NAME|PATH"


def test_a_name_given_at_the_start_wins_over_the_choice(place):
    choose(place, "qwen2.5-coder-7b")

    assert model_path(place, "smollm2-135m").name == find("smollm2-135m").file
    assert remedy(place, "smollm2-135m") == "nightschool model get smollm2-135m"


def test_what_is_neither_name_nor_path_is_refused_before_it_is_written(place):
    with pytest.raises(ModelError, match="neither the path"):
        choose(place, "nonsense")
    assert not place.choice.exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"other": 1}', "\udcff"])
def test_a_damaged_choice_names_its_file_and_the_remedy(place, content):
    place.choice.write_text(content, encoding="utf-8", errors="surrogateescape")

    with pytest.raises(ModelError, match=r"model\.json.*nightschool model use"):
        model_path(place)

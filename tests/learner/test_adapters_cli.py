"""`nightschool adapters` as a user and a script meet it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from adapter_files import OTHER_BASE, add_adapter, ship_primer
from click.testing import CliRunner

from learner.registry import Registry
from lsp_server.cli import main
from models.home import Home

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

BASE = hashlib.sha256(b"a model").hexdigest()
EXAM = {
    "candidate": {
        "outcomes": {"exact_match": 0.34, "log_loss": 0.881, "net_saved": 3.2},
        "generic": {"exact_match": 0.5, "log_loss": 1.0},
    },
    "serving": {"outcomes": {"exact_match": 0.31, "log_loss": 0.912, "net_saved": 2.9}},
}


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["adapters", *words])


def answer(*words: str, code: int = 0) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose model in use is a file of a few bytes; no primer ships for it."""
    monkeypatch.setattr("models.primers.PRIMERS", tmp_path / "primers")
    home = Home(tmp_path / "home")
    monkeypatch.setenv("NIGHTSCHOOL_HOME", str(home.root))
    home.root.mkdir()
    model = tmp_path / "model.gguf"
    model.write_bytes(b"a model")
    home.choice.write_text(json.dumps({"model": str(model)}))
    return home


@pytest.fixture
def registry(home: Home) -> Registry:
    return Registry(home)


def test_without_adapters_the_list_is_empty_and_says_how_to_make_one() -> None:
    assert answer("list") == []
    assert run("list").stderr == "no adapters yet; make one: nightschool train\n"


def test_the_list_tells_what_a_script_needs(registry: Registry) -> None:
    add_adapter(registry, 1, BASE, parent="primer", exam=EXAM, examples=300)
    second = add_adapter(registry, 2, BASE, parent="20261201-0300-0001")
    other = add_adapter(registry, 3, OTHER_BASE, base_name="smollm2-135m")
    registry.promote(second.id)
    registry.promote(other.id)
    rows = answer("list")
    assert [(row["id"], row["base"], row["parent"], row["serving"]) for row in rows] == [
        (other.id, OTHER_BASE, None, False),
        (second.id, BASE, "20261201-0300-0001", True),
        ("20261201-0300-0001", BASE, "primer", False),
    ]
    assert (rows[2]["created"], rows[2]["exam"]) == (1e9 + 1, EXAM)


def test_the_table_shows_progress_and_what_serves(registry: Registry) -> None:
    adapter = add_adapter(registry, 1, BASE, parent="primer", exam=EXAM, examples=300)
    add_adapter(registry, 2, OTHER_BASE, base_name="smollm2-135m", exam={"candidate": None})
    registry.promote(adapter.id)
    lines = run("list").stdout.splitlines()
    assert len(lines) == 3
    assert "only with smollm2-135m" in lines[1]
    assert "31.0 % → 34.0 %  0.912 → 0.881  since 20" in lines[2]


def test_the_primer_is_listed_where_one_ships(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ship_primer(monkeypatch, tmp_path / "shipped", BASE)
    (row,) = answer("list")
    assert (row["id"], row["serving"]) == ("primer", True)
    assert answer("off") == {"adapter": None, "replaced": "primer"}
    assert not answer("list")[0]["serving"]
    assert answer("use", "primer") == {"adapter": "primer", "replaced": None}
    assert answer("show", "primer")["serving"]


def test_using_rolling_back_and_turning_off(registry: Registry) -> None:
    adapter = add_adapter(registry, 1, BASE)
    assert answer("use", adapter.id) == {"adapter": adapter.id, "replaced": None}
    assert answer("use", adapter.id, code=3) == {"adapter": adapter.id, "replaced": None}
    assert run("off").stdout == f"the bare base model serves now, instead of adapter {adapter.id}\n"
    assert run("rollback").stdout == f"adapter {adapter.id} serves now, instead of the bare base model\n"
    assert run("rollback").exit_code == 0
    result = run("rollback")
    assert result.exit_code == 3
    assert result.stderr == "the base model alone serves, and nothing served before it\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("use", "20261231-0300-ffff"), "Error: there is no adapter 20261231-0300-ffff; see: nightschool"),
        (("use", "../secret"), "Error: '../secret' is no adapter's id; see: nightschool adapters list"),
        (("use", "primer"), "Error: no primer ships for the model in use"),
        (("show", "20261231-0300-ffff"), "Error: there is no adapter"),
    ],
)
def test_what_cannot_be_used_is_one_line_on_stderr(words: tuple[str, ...], message: str) -> None:
    result = run(*words)
    assert result.exit_code == 1
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1


def test_an_adapter_for_another_model_is_refused(registry: Registry) -> None:
    other = add_adapter(registry, 1, OTHER_BASE, base_name="smollm2-135m")
    result = run("use", other.id)
    assert result.exit_code == 1
    assert "was made for smollm2-135m" in result.stderr and "nightschool model use" in result.stderr
    assert registry.serving(BASE) is None


def test_without_the_model_nothing_is_chosen(home: Home, registry: Registry) -> None:
    add_adapter(registry, 1, BASE)
    home.choice.write_text(json.dumps({"model": "smollm2-135m"}))
    assert not answer("list")[0]["serving"]
    result = run("off")
    assert result.exit_code == 1
    assert result.stderr.endswith("run: nightschool model get smollm2-135m\n")


def test_an_adapter_is_shown_with_its_exam_and_its_history(registry: Registry) -> None:
    one = add_adapter(
        registry, 1, BASE, parent="primer", exam=EXAM, examples=300, seconds=720, offers=["a", "b"],
        verdict="promoted", data_from=1e9, data_until=1e9 + 1, reasons=["better by 0.03"],
    )  # fmt: skip
    two = add_adapter(registry, 2, BASE)
    registry.promote(one.id)
    registry.promote(two.id)
    registry.rollback(BASE, by="live", reason="kept 12 % less")
    shown = answer("show", one.id)
    assert (shown["offers"], shown["serving"], shown["exam"]) == (2, True, EXAM)
    assert [(event["what"], event["by"]) for event in shown["history"]] == [
        ("began to serve", "night"),
        ("was replaced", "night"),
        ("began to serve", "live"),
    ]
    text = run("show", one.id).stdout
    assert "trained   on 300 examples in 12 min, 2 of your outcomes" in text
    assert f"was replaced, by adapter {two.id} (night)" in text
    assert f"began to serve, replacing adapter {two.id} (live: kept 12 % less)" in text
    assert "exact match, newest outcomes" in text and "0.340" in text and "0.310" in text


def test_a_damaged_choice_is_a_warning(registry: Registry) -> None:
    add_adapter(registry, 1, BASE)
    registry.current.write_text("{")
    result = run("list", "--json")
    assert result.exit_code == 0
    assert "does not say which adapter serves" in result.stderr
    assert len(json.loads(result.stdout)) == 1


def test_wrong_usage_is_exit_code_two() -> None:
    assert run("use").exit_code == 2
    assert run("rollback", "x").exit_code == 2


def test_the_primer_is_shown_with_what_it_was_trained_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, registry: Registry
) -> None:
    primer = ship_primer(monkeypatch, tmp_path / "shipped", BASE)
    primer.with_suffix(".json").write_text(json.dumps({"examples": 1224, "training": {"seconds": 4500}}))
    assert "trained   on 1224 examples, none of them yours" in run("show", "primer").stdout
    assert "1224" in run("list").stdout

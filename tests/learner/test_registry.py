"""Adapters come whole or not at all, one of them serves, and what is damaged keeps nobody from working."""

from __future__ import annotations

import itertools
import json
import shutil
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from adapter_files import BASE, OTHER_BASE, add_adapter, ship_primer

from learner.registry import AdapterError, NothingToDoError, Registry, adapter_id, id_of_path
from models.home import Home

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_primer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever ships by now, a test has a primer only where it says so."""
    monkeypatch.setattr("models.primers.PRIMERS", tmp_path / "primers")


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def registry(tmp_path: Path, warnings: list[str]) -> Registry:
    return Registry(Home(tmp_path / "home"), warnings.append, now=lambda: 2e9)


def serving(registry: Registry, base: str = BASE) -> str | None:
    adapter = registry.serving(base)
    return adapter.id if adapter else None


def test_ids_sort_by_time() -> None:
    assert adapter_id(1795230000.0, "x") == "20261121-0300-2d71"
    assert adapter_id(1795230060.0, "x") > adapter_id(1795230000.0, "y")


def test_an_added_adapter_is_whole_private_and_does_not_serve_yet(registry: Registry) -> None:
    added = add_adapter(registry, 1, parent="primer", data_from=1.0, data_until=2.0, exam={"verdict": "ok"})
    assert registry.adapters() == [added] == [registry.find(added.id)]
    assert (added.base, added.parent, added.data_from, added.data_until) == (BASE, "primer", 1.0, 2.0)
    assert added.report["exam"] == {"verdict": "ok"}
    assert serving(registry) is None
    folder = added.path.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert sorted(path.name for path in folder.iterdir()) == ["adapter.gguf", "report.json"]


def test_an_adapter_that_cannot_be_written_leaves_nothing_and_the_file_where_it_was(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space"):
        add_adapter(registry, 1)
    assert registry.adapters() == []
    assert [path.name for path in registry.current.parent.iterdir()] == [".lock"]
    assert (tmp_path / "home" / "20261201-0300-0001.gguf").exists()


def test_nothing_is_replaced(registry: Registry) -> None:
    add_adapter(registry, 1)
    with pytest.raises(AdapterError, match="there already"):
        add_adapter(registry, 1)


def test_a_rollback_goes_back_one_by_one(registry: Registry) -> None:
    first, second = add_adapter(registry, 1), add_adapter(registry, 2)
    registry.promote(first.id)
    registry.promote(second.id)
    assert serving(registry) == second.id
    assert registry.rollback(BASE) == first
    assert serving(registry) == first.id
    assert registry.rollback(BASE) is None
    assert serving(registry) is None
    with pytest.raises(NothingToDoError, match="nothing served before"):
        registry.rollback(BASE)


def test_a_rollback_passes_over_what_was_deleted(registry: Registry) -> None:
    one, two, three = (add_adapter(registry, day) for day in (1, 2, 3))
    for adapter in (one, two, three):
        registry.promote(adapter.id)
    shutil.rmtree(two.path.parent)
    assert registry.rollback(BASE) == one


def test_a_rollback_of_what_no_longer_serves_does_nothing(registry: Registry) -> None:
    first, second = add_adapter(registry, 1), add_adapter(registry, 2)
    registry.promote(first.id)
    registry.promote(second.id)
    registry.rollback(BASE, by="live", expected=second.id)
    with pytest.raises(NothingToDoError, match=f"{first.id} serves by now"):
        registry.rollback(BASE, by="live", expected=second.id)
    assert [(change.adapter, change.by) for change in registry.history()][-1] == (first.id, "live")


def test_bases_are_served_apart(registry: Registry) -> None:
    first, other = add_adapter(registry, 1), add_adapter(registry, 2, OTHER_BASE)
    registry.promote(first.id)
    registry.promote(other.id)
    assert (serving(registry), serving(registry, OTHER_BASE)) == (first.id, other.id)
    registry.rollback(OTHER_BASE)
    assert (serving(registry), serving(registry, OTHER_BASE)) == (first.id, None)


def test_an_adapter_for_another_base_is_refused(registry: Registry) -> None:
    other = add_adapter(registry, 1, OTHER_BASE, base_name="smollm2-135m")
    with pytest.raises(AdapterError, match=r"smollm2-135m \(cccc.*bbbb"):
        registry.promote(other.id, BASE)
    assert serving(registry) is None


def test_a_damaged_adapter_is_not_promoted(registry: Registry) -> None:
    adapter = add_adapter(registry, 1)
    adapter.path.write_bytes(b"GGUF and something else")
    with pytest.raises(AdapterError, match="is damaged"):
        registry.promote(adapter.id)
    adapter.path.unlink()
    with pytest.raises(AdapterError, match="cannot be read"):
        registry.promote(adapter.id)


def test_the_primer_serves_before_anything_was_chosen(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = ship_primer(monkeypatch, tmp_path / "shipped")
    assert serving(registry) == "primer"
    assert serving(registry, OTHER_BASE) is None
    assert id_of_path(path) == "primer"
    adapter = add_adapter(registry, 1)
    assert id_of_path(adapter.path) == adapter.id
    registry.promote(adapter.id)
    assert registry.rollback(BASE) == registry.find("primer", BASE)
    registry.promote(None, BASE)
    assert serving(registry) is None
    registry.promote("primer", BASE)
    assert serving(registry) == "primer"
    with pytest.raises(NothingToDoError, match="the primer serves already"):
        registry.promote("primer", BASE)


def test_a_primer_that_does_not_ship_is_refused(registry: Registry) -> None:
    with pytest.raises(AdapterError, match="no primer ships for the model in use"):
        registry.promote("primer", BASE)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"serving": {"',
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b'{"serving": {}}',
        b'{"serving": {"x": {"adapter": "../../etc", "since": 1, "before": []}}, "history": []}',
        b'{"serving": {"x": {"adapter": "primer", "since": "now", "before": []}}, "history": []}',
        b'{"serving": [], "history": [{"at": 1}]}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_choice_is_told_and_mended_by_the_next(
    registry: Registry, warnings: list[str], content: bytes
) -> None:
    adapter = add_adapter(registry, 1)
    registry.promote(adapter.id)
    registry.current.write_bytes(content)
    assert serving(registry) is None
    (warning,) = warnings
    assert "does not say which adapter serves" in warning and "nightschool adapters use" in warning
    registry.promote(adapter.id)
    assert serving(registry) == adapter.id


def test_the_primer_serves_for_an_adapter_that_is_gone(
    registry: Registry, warnings: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ship_primer(monkeypatch, tmp_path / "shipped")
    adapter = add_adapter(registry, 1)
    registry.promote(adapter.id)
    shutil.rmtree(adapter.path.parent)
    assert serving(registry) == "primer"
    assert f"there is no adapter {adapter.id}" in warnings[0] and "the primer serves" in warnings[0]


@pytest.mark.parametrize("report", [b"", b"[]", b'{"base": "x"}', b'{"base": "x", "created": []}', b"\xff"])
def test_a_damaged_report_hides_its_adapter_and_no_other(
    registry: Registry, warnings: list[str], report: bytes
) -> None:
    good, bad = add_adapter(registry, 1), add_adapter(registry, 2)
    (bad.path.parent / "report.json").write_bytes(report)
    assert registry.adapters() == [good]
    assert "report.json is damaged" in warnings[0]


def test_what_a_killed_process_left_is_never_seen_and_cleared_away(registry: Registry) -> None:
    adapter = add_adapter(registry, 1)
    torn = registry.current.parent / ".20261202-0300-0002.part"
    torn.mkdir()
    (torn / "report.json").write_text("{")
    (registry.current.parent / ".current.new").write_text("{")
    assert registry.adapters() == [adapter]
    assert registry.prune() == []
    assert not torn.exists()
    assert add_adapter(registry, 2).id == "20261202-0300-0002"


def test_pruning_keeps_the_newest_what_serves_its_parent_and_what_served_before(registry: Registry) -> None:
    ids = [add_adapter(registry, day).id for day in range(1, 8)]
    child = add_adapter(registry, 8, parent=ids[1])
    registry.promote(ids[3])
    registry.promote(child.id)
    later = [add_adapter(registry, day).id for day in range(9, 12)]
    other = add_adapter(registry, 12, OTHER_BASE)
    assert registry.prune(keep=2) == [ids[0], ids[2], *ids[4:], *later[:2]]
    left = {adapter.id for adapter in registry.adapters()}
    assert left == {ids[1], ids[3], child.id, later[2], other.id}
    assert registry.rollback(BASE) == registry.find(ids[3])


def test_what_was_learned_from_an_offer_is_found_also_in_what_was_built_on_it(registry: Registry) -> None:
    one = add_adapter(registry, 1, offers=["a", "b"])
    two = add_adapter(registry, 2, offers=["c"], parent=one.id)
    add_adapter(registry, 3, offers=["d"], parent="primer")
    assert registry.learned_from(["b", "z"]) == [one, two]
    assert registry.learned_from([]) == []


PROMOTER = """
import sys
from pathlib import Path
from learner.registry import Registry
from models.home import Home
registry = Registry(Home(Path(sys.argv[1])))
for _ in range(20):
    for identity in sys.argv[2:]:
        try:
            registry.promote(identity)
        except Exception as error:
            assert "serves already" in str(error), error
"""


def test_processes_that_promote_at_once_lose_no_change(registry: Registry, tmp_path: Path) -> None:
    """Every change names what it replaced: a lost update would break the chain."""
    ids = [add_adapter(registry, day).id for day in range(1, 5)]
    command = [sys.executable, "-c", PROMOTER, str(tmp_path / "home")]
    running = [subprocess.Popen([*command, *pair]) for pair in (ids[:2], ids[2:])]
    assert [process.wait() for process in running] == [0, 0]
    history = registry.history()
    assert len(history) >= 40
    assert all(later.replaced == earlier.adapter for earlier, later in itertools.pairwise(history))


def test_the_file_that_says_what_serves_can_be_read(registry: Registry) -> None:
    registry.promote(add_adapter(registry, 1).id, reason="its exam")
    content = json.loads(registry.current.read_text())
    chosen = {"adapter": "20261201-0300-0001", "since": 2e9, "before": ["off"]}
    assert content["serving"] == {BASE: chosen}
    assert content["history"][0]["reason"] == "its exam"
    assert stat.S_IMODE(registry.current.stat().st_mode) == 0o600

"""What the page says of eight weeks, and that nothing recorded can do anything in it."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from fact_builders import event, offered, settlement
from report_page import ReadPage
from seeded import NOW

from learner.facts import EventKind, Horizon, KnownBy
from learner.ledger import Ledger
from learner.ledger_file import connect_to_read
from learner.report.contents import gather
from learner.report.nights import Switch
from learner.report.page import render
from learner.report.patterns import Pattern
from models.home import Home
from models.prompt import Prompt

if TYPE_CHECKING:
    from pathlib import Path

    from learner.report.contents import Contents

EVIL = "\"'></code><script>alert(1)</script><img src=x onerror=alert(1)>&lt;b&gt;"


def test_every_section_is_there_with_its_plots_and_tables(html: str) -> None:
    page = ReadPage(html)
    headings = {element.attributes.get("id") for element in page.all("h2")}
    assert {"slope", "days", "speed", "week", "gate", "nights"} <= headings
    plots = [svg for svg in page.all("svg") if svg.attributes.get("role") == "img"]
    ids = {element.attributes.get("id"): element.tag for element in page.elements}
    assert len(plots) == 7
    for plot in plots:
        title, told = plot.attributes["aria-labelledby"].split()
        assert (ids[title], ids[told]) == ("title", "desc")
    # Each plot's figures are there for those who do not see it.
    assert len(page.all("details")) == 7


def test_ids_are_unique_and_headings_are_in_order(html: str) -> None:
    page = ReadPage(html)
    ids = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    levels = [int(element.tag[1]) for element in page.elements if re.fullmatch("h[1-6]", element.tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_figures_are_the_ledgers(contents: Contents, html: str) -> None:
    assert contents.all is not None
    text = ReadPage(html).text
    assert f"{contents.all.shown:,}" in text and f"{contents.all.kept_chars:,}" in text
    last = contents.days[-1]
    assert f"{last.group}{last.taken_chars:,}{last.kept_chars:,}" in text.replace(" ", "")
    assert contents.all.kept_chars == sum(day.kept_chars for day in contents.days)


def test_nights_have_their_verdicts_reasons_and_intervals(html: str) -> None:
    text = ReadPage(html).text
    assert text.count("promoted") >= 3
    assert "not better than the serving adapter beyond noise" in text
    assert "Log-loss -0.061 (-0.102 to -0.021) nats per token" in text


def test_the_slope_names_arms_and_intervals(html: str) -> None:
    text = ReadPage(html).text
    assert "memory and weights 1,000 308.0 (291.0 to 325.0)" in text
    assert "memory and weights against static retrieval, never updated +62 (+37 to +87) +0.070 (+0.0" in text


def test_what_was_learned_is_said_in_words(html: str) -> None:
    text = ReadPage(html).text
    assert re.search(r"You wrote .* where .* was offered: at \d places in \d files?\.", text)
    assert "What memory knows by now" in text and "on 14 occasions" in text
    assert "accepted, then changed" in text


def test_nothing_is_loaded_from_elsewhere_and_no_script_may_run(html: str) -> None:
    page = ReadPage(html)
    assert not [
        e for e in page.elements if e.tag in ("script", "link", "img", "iframe", "object", "base", "a")
    ]
    reaching = ("src", "href", "xlink:href", "srcset", "style", "action")
    reached = [name for e in page.elements for name in e.attributes if name in reaching or name[:2] == "on"]
    assert reached == []
    style = html.partition("<style>")[2].partition("</style>")[0]
    assert "@import" not in style and "url(" not in style
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [meta.attributes["content"] for meta in page.all("meta")
                 if meta.attributes.get("http-equiv") == "Content-Security-Policy"]  # fmt: skip
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")


def test_recorded_markup_stays_text(contents: Contents) -> None:
    assert contents.all and contents.week and contents.slope
    sample = replace(contents.week.samples[0], place=EVIL, before=EVIL, offered=EVIL, became=EVIL)
    correction = replace(contents.week.corrections[0], wrong=EVIL, right=EVIL + "x")
    snapshots = tuple(replace(each, arm=EVIL, project=EVIL) for each in contents.slope.snapshots)
    poisoned = replace(
        contents,
        week=replace(contents.week, samples=(sample,), corrections=(correction,)),
        patterns=(Pattern(EVIL, EVIL, 3, EVIL),),
        nights=(replace(contents.nights[0], verdict=EVIL, reasons=(EVIL,)),),
        switches=(Switch(NOW, EVIL, EVIL, EVIL, EVIL),),
        slope=replace(contents.slope, snapshots=snapshots, projects=(EVIL,)),
        adapters=(replace(contents.all, group=EVIL), contents.all),
        warnings=(EVIL,),
    )
    page = ReadPage(render(poisoned))
    assert not page.all("script") and not page.all("img")
    assert page.text.count("<script>alert(1)</script>") >= 12
    assert not [name for element in page.elements for name in element.attributes if name.startswith("on")]


def test_text_that_hides_is_written_out(contents: Contents) -> None:
    """The trick of Boucher and Anderson's Trojan Source (2021): code that reads otherwise than it runs."""
    assert contents.week
    sample = replace(contents.week.samples[0], offered="a\u202eb\x1b[31m\x00", became="tab\tstays")
    page = ReadPage(render(replace(contents, week=replace(contents.week, samples=(sample,)))))
    assert "a\\u202eb\\u001b[31m\\u0000" in page.text
    assert "\u202e" not in page.text


@pytest.mark.parametrize("secret", ["ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8", 'password = "hunter2hunter2"'])
def test_secrets_that_an_older_filter_let_through_are_left_out(tmp_path: Path, secret: str) -> None:
    home = Home(tmp_path / "home")
    ledger = Ledger.open(home.ledger, on_trouble=pytest.fail, clock=lambda: NOW)
    for number in range(3):
        name = f"o{number}"
        prompt = Prompt("value = ", "\n", "a.py", "project", ())
        ledger.record(offered(name, offered_at=NOW - 60, line=number * 9, prompt=prompt, text="nothing()"))
        ledger.record(event(EventKind.DIVERGED, KnownBy.INFERRED, name, 0))
        ledger.record(settlement("something_else()", Horizon.S30, 0, 9, name))
    assert ledger.close()
    connection = connect_to_read(home.ledger)
    assert ReadPage(render(gather(home, connection, NOW))).text.count("something_else") >= 2
    connection.execute("PRAGMA query_only = off")
    connection.execute("UPDATE settlements SET text = ?", (secret,))
    html = render(gather(home, connection, NOW))
    connection.close()
    assert secret not in ReadPage(html).text and "hunter2" not in html


def test_an_empty_home_is_told_what_to_do(tmp_path: Path) -> None:
    text = ReadPage(render(gather(Home(tmp_path), None, NOW))).text
    assert "Nothing is recorded yet" in text
    for command in ("nightschool doctor", "nightschool train", "nightschool replay PATH"):
        assert command in text


def test_without_a_replay_the_command_is_named_and_nothing_is_drawn(contents: Contents) -> None:
    page = ReadPage(render(replace(contents, slope=None)))
    assert "No replay was run here yet. nightschool replay PATH" in page.text
    assert len(page.all("details")) == 5


def test_a_ledger_with_one_unseen_offer_is_no_trouble(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    ledger = Ledger.open(home.ledger, on_trouble=pytest.fail, clock=lambda: NOW)
    ledger.record(offered(offered_at=NOW))
    assert ledger.close()
    connection = connect_to_read(home.ledger)
    text = ReadPage(render(gather(home, connection, NOW))).text
    connection.close()
    assert "none was seen yet" in text and "No night was done yet" in text

"""Settings come from people: each bad value is named, and costs nothing but itself."""

from __future__ import annotations

import pytest

from lsp_server.debounce import LONGEST_S, Debounce
from lsp_server.permission import Permission
from lsp_server.settings import ADAPTIVE, Settings, parse_settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("enabled", "yes"),
        ("languages", ["python"]),
        ("languages", {"python": 1}),
        ("disabled_paths", "*.min.js"),
        ("ignore", [1]),
        ("in_comments", None),
        ("multi_line", 1),
        ("max_tokens", 0),
        ("max_tokens", True),
        ("debounce", "fast"),
        ("debounce", -1),
        ("snooze_minutes", 1.5),
        ("model", 3),
        ("threads", 0),
        ("completion_items", "on"),
        ("micro_nights", "nightly"),
        ("disabled_paths", ["!"]),
    ],
)
def test_a_bad_value_is_named_and_its_default_used(name: str, value: object) -> None:
    settings, (problem,) = parse_settings({name: value})
    assert getattr(settings, name) == getattr(Settings(), name)
    assert name in problem and "default" in problem


def test_the_other_values_stand_beside_a_bad_one() -> None:
    settings, problems = parse_settings({"max_tokens": "many", "threads": 3, "ignore": ["*.lock"]})
    assert (settings.threads, settings.ignore, len(problems)) == (3, ("*.lock",), 1)


def test_an_unknown_setting_is_named() -> None:
    settings, (problem,) = parse_settings({"maxTokens": 5})
    assert settings == Settings()
    assert "maxTokens" in problem and "max_tokens" in problem


@pytest.mark.parametrize("raw", [None, {}, {"nightschool": None}, {"nightschool": {}}])
def test_nothing_set_means_the_defaults(raw: object) -> None:
    assert parse_settings(raw) == (Settings(), [])


def test_settings_may_stand_in_their_section() -> None:
    assert parse_settings({"nightschool": {"enabled": False}}) == (Settings(enabled=False), [])


@pytest.mark.parametrize("raw", [7, "on", ["x"]])
def test_settings_that_are_no_object_are_named(raw: object) -> None:
    settings, problems = parse_settings(raw)
    assert settings == Settings() and len(problems) == 1


def test_languages_that_are_not_named_follow_the_star() -> None:
    settings, _ = parse_settings({"languages": {"*": False, "python": True}})
    assert settings.allows_language("python") and not settings.allows_language("lua")
    assert Settings().allows_language("lua")


def test_a_snooze_ends_by_itself() -> None:
    now = 0.0
    permission = Permission(Settings(), lambda: now)
    permission.snooze(2)
    assert permission.off == "snoozed"
    now = 121.0
    assert permission.off is None


def test_a_fast_typist_is_waited_for_and_a_slow_engine_shortens_the_wait() -> None:
    now = 0.0
    debounce = Debounce(lambda: now)
    assert debounce.remaining_s(ADAPTIVE) == 0
    for _ in range(50):
        debounce.keystroke()
        now += 0.1
    now -= 0.1
    assert debounce.remaining_s(ADAPTIVE) == pytest.approx(0.15)
    for _ in range(50):
        debounce.answered(0.1)
    assert debounce.remaining_s(ADAPTIVE) == pytest.approx(0.05, abs=0.001)
    assert debounce.remaining_s(300) == pytest.approx(0.3)
    now += 0.2
    assert debounce.remaining_s(300) == pytest.approx(0.1)


def test_no_pause_of_the_typist_makes_the_wait_long() -> None:
    now = 0.0
    debounce = Debounce(lambda: now)
    for _ in range(10):
        debounce.keystroke()
        now += 0.9
    now -= 0.9
    assert debounce.remaining_s(ADAPTIVE) == pytest.approx(LONGEST_S)

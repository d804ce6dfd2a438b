"""What a person does with ghost text in VS Code: the file on disk and the ledger's row say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.editors.vscode.programs import answers_at, messages
from tests.editors.vscode.waiting import until

if TYPE_CHECKING:
    from tests.editors.vscode.editor import Editor

# A browser and a workbench on two cores.
pytestmark = pytest.mark.timeout(300)

BLOCK = "size = w * h\n    return size"
ANSWERS = {
    "accepted = ": "sum(rows)",
    "wordy = ": "max(rows, key=size)",
    "area(w, h):\n    ": BLOCK,
    "area(w, h):\r\n    ": BLOCK,
    "unwanted = ": "min(rows)",
    "typed = ": "list(rows)[0]",
    "choose = ": "first(rows)",
    "oose = ": "second(rows)",
    "hushed = ": "rows.keys()",
    "beside_both = ": "ours()",
}


@pytest.fixture(scope="module")
def answers() -> dict[str, str]:
    return ANSWERS


def begin(editor: Editor, name: str, typed: str) -> str:
    """Type at the end of a new file and return the ghost text."""
    editor.open(name, "import os\n")
    editor.at_end()
    editor.type(typed)
    return editor.ghost()


def saved(editor: Editor, name: str) -> str:
    return editor.save(name).removeprefix("import os\n").rstrip("\n")


def test_tab_takes_all_of_it(editor: Editor) -> None:
    assert begin(editor, "tab.py", "accepted = ") == "sum(rows)"
    editor.press("Tab")
    assert saved(editor, "tab.py") == "accepted = sum(rows)"
    row = editor.workbench.rows.labelled("accepted", "tab.py")
    assert (row["offered_text"], row["known_by"]) == ("sum(rows)", "explicit")


def test_keys_do_what_they_did_where_there_is_no_ghost_text(editor: Editor) -> None:
    editor.open("keys.txt", "two words\n")
    editor.press("Tab", "Control+ArrowRight")
    editor.type("x")
    editor.press("Shift+ArrowRight", "Escape")
    editor.type("y")
    assert editor.save("keys.txt") == "    twox ywords\n", "Escape has taken the selection back"


def test_a_word_is_taken_and_the_rest_stays(editor: Editor) -> None:
    begin(editor, "word.py", "wordy = ")
    editor.press("Control+ArrowRight")
    row = editor.workbench.rows.labelled("partial", "word.py")
    assert (row["offered_text"], row["known_by"]) == ("max(rows, key=size)", "explicit")
    assert saved(editor, "word.py") == "wordy = max"
    editor.shows("(rows, key=size)")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_is_taken_and_the_rest_stays(editor: Editor, end: str) -> None:
    name = f"line_{len(end)}.py"
    editor.open(name, f"import os{end}")
    editor.at_end()
    editor.type("def area(w, h):\n")
    until(lambda: "size = w * h" in (editor.visible_ghost() or ""), "the first line")
    editor.press("Control+Alt+ArrowRight")
    row = editor.workbench.rows.labelled("partial", name)
    assert (row["offered_text"], row["known_by"]) == (BLOCK, "explicit")
    editor.save(name)
    text = (editor.workbench.project / name).read_bytes().decode()
    assert f"def area(w, h):{end}    size = w * h" in text
    assert "return" not in text
    editor.shows("    return size")
    # Where ghost text begins with an indentation, VS Code's Tab indents first.
    editor.press("Tab")
    editor.shows("return size")
    editor.press("Tab")
    editor.save(name)
    assert f"size = w * h{end}    return size" in (editor.workbench.project / name).read_bytes().decode()


def test_escape_rejects(editor: Editor) -> None:
    begin(editor, "escape.py", "unwanted = ")
    editor.press("Escape")
    editor.no_ghost()
    row = editor.workbench.rows.labelled("rejected", "escape.py")
    assert (row["offered_text"], row["known_by"]) == ("min(rows)", "explicit")
    assert saved(editor, "escape.py").strip() == "unwanted ="


def test_typing_what_it_says_keeps_it(editor: Editor) -> None:
    begin(editor, "typed.py", "typed = ")
    editor.type("lis")
    editor.shows("t(rows)[0]")
    editor.press("Tab")
    assert saved(editor, "typed.py") == "typed = list(rows)[0]"
    row = editor.workbench.rows.labelled("accepted", "typed.py")
    assert row["offered_text"] == "list(rows)[0]"


def test_the_next_candidate_and_the_one_before(editor: Editor) -> None:
    assert begin(editor, "next.py", "choose = ") == "first(rows)"
    editor.press("Alt+]")
    editor.shows("second(rows)")
    editor.press("Alt+[")
    editor.shows("first(rows)")
    editor.press("Alt+]")
    editor.shows("second(rows)")
    editor.press("Tab")
    assert saved(editor, "next.py") == "choose = second(rows)"
    row = editor.workbench.rows.labelled("accepted", "next.py")
    assert (row["offered_text"], row["known_by"]) == ("second(rows)", "explicit")


def test_another_providers_ghost_text_is_none_of_ours(editor: Editor) -> None:
    assert begin(editor, "other.py", "beside_them = ") == "other_them()"
    editor.press("Control+ArrowRight")
    editor.shows("()")
    editor.press("Escape")
    editor.no_ghost()
    assert saved(editor, "other.py") == "beside_them = other_them"
    begin(editor, "after_other.py", "accepted = ")
    editor.press("Tab")
    editor.workbench.rows.labelled("accepted", "after_other.py")
    assert not editor.workbench.rows.of("other.py")


def test_beside_another_provider_ours_can_be_chosen(editor: Editor) -> None:
    shown = begin(editor, "both.py", "beside_both = ")
    if shown != "ours()":
        assert shown == "other_both()"
        editor.press("Alt+]")
        editor.shows("ours()")
    editor.press("Tab")
    assert saved(editor, "both.py") == "beside_both = ours()"
    assert editor.workbench.rows.labelled("accepted", "both.py")["known_by"] == "explicit"


def test_off_and_on_for_a_language(editor: Editor) -> None:
    editor.open("language.py", "import os\n")
    settings = editor.workbench.server.user_settings
    editor.menu("Turn off for python")
    until(lambda: settings().get("nightschool.languages") == {"python": False}, "the changed setting")
    editor.wait_for_choice("Turn on for python")
    begins_silently(editor, "off.py")
    editor.menu("Turn on for python")
    until(lambda: settings().get("nightschool.languages") == {"python": True}, "the changed setting")
    editor.wait_for_choice("Turn off for python")
    begin(editor, "on.py", "hushed = ")


def test_off_and_on_everywhere(editor: Editor) -> None:
    editor.menu("Turn off everywhere")
    editor.wait_for_status("off")
    begins_silently(editor, "off_everywhere.py")
    editor.menu("Turn on")
    editor.wait_for_status("ready: ")
    begin(editor, "on_everywhere.py", "hushed = ")


def test_off_and_on_for_a_file(editor: Editor) -> None:
    settings = editor.workbench.server.user_settings
    path = str(editor.workbench.project / "one of two.py")
    editor.open("one of two.py", "import os\n")
    editor.menu("Turn off for this file")
    until(lambda: settings().get("nightschool.disabledPaths") == [path.replace(" ", "\\ ")], "the setting")
    editor.wait_for_choice("Turn on for this file")
    editor.open("one of two.py")
    types_silently(editor, "one of two.py")
    begin(editor, "another.py", "hushed = ")
    editor.open("one of two.py")
    editor.menu("Turn on for this file")
    until(lambda: settings().get("nightschool.disabledPaths") == [], "the changed setting")
    editor.wait_for_choice("Turn off for this file")
    editor.open("one of two.py")
    editor.at_end()
    editor.type("\nhushed = ")
    editor.ghost()


def begins_silently(editor: Editor, name: str) -> None:
    """Type what would be completed in a new file."""
    editor.open(name, "import os\n")
    types_silently(editor, name)


def types_silently(editor: Editor, name: str) -> None:
    """Type what would be completed; the server is asked, and has nothing to offer."""
    line = "hushed = "
    editor.at_end()
    editor.type(line)
    assert until(lambda: answers_at(editor.workbench.home, name, len(line)), "an answer") == [[]]
    assert saved(editor, name).strip() == line.strip()
    assert editor.visible_ghost() is None
    assert not editor.workbench.rows.of(name)


@pytest.mark.parametrize("minutes", [5, 30, 60])
def test_a_snooze_is_silent_and_ends(editor: Editor, minutes: int) -> None:
    editor.menu(f"Snooze for {minutes} minutes")
    editor.wait_for_status("snoozed")
    assert last_snooze(editor) == [minutes]
    begins_silently(editor, f"snoozed_{minutes}.py")
    editor.menu("End the snooze")
    editor.wait_for_status("ready: ")
    begin(editor, f"awake_{minutes}.py", "hushed = ")


def last_snooze(editor: Editor) -> list[int]:
    """Return the arguments with which the server was told to snooze last."""
    said = [each.get("params") for each in messages(editor.workbench.home)]
    return [each["arguments"] for each in said if each and each.get("command") == "nightschool.snooze"][-1]


def test_a_snooze_from_the_palette(editor: Editor) -> None:
    editor.command("Nightschool: Snooze…")
    editor.choose("30 minutes")
    editor.wait_for_status("snoozed")
    assert last_snooze(editor) == [30]
    editor.menu("End the snooze")
    editor.wait_for_status("ready: ")


def test_the_menu_leads_to_the_settings_and_to_the_walkthrough(editor: Editor) -> None:
    editor.menu("Settings")
    shown = editor.page.locator(".settings-editor .setting-item-contents")
    shown.filter(has_text="Nightschool").first.wait_for()
    assert "@ext:nightschool.nightschool" in editor.page.locator(".settings-header .view-lines").inner_text()
    editor.press("Escape")  # they are in a box in front of the window
    editor.menu("Get started")
    editor.page.locator(".gettingStartedContainer:focus-within", has_text="Begin with Nightschool").wait_for()


def test_report_statistics_and_log_open(editor: Editor) -> None:
    begin(editor, "report.py", "accepted = ")
    editor.press("Tab")
    editor.workbench.rows.labelled("accepted", "report.py")
    editor.save("report.py")
    editor.menu("Open the report")
    frame = editor.page.frame_locator("iframe.webview").last.frame_locator("iframe")
    frame.locator("h2", has_text="How the offers fared").wait_for()
    assert frame.locator("table").count() == 1
    editor.menu("Show statistics")
    editor.page.locator('.tab.active[data-resource-name="Nightschool statistics"]').wait_for()
    until(lambda: "accepted" in editor.text().lower(), "the statistics")
    assert editor.page.locator(".tab.active.dirty").count() == 0
    (editor.workbench.home / "server.log").write_text("a line of the log\n")
    editor.menu("Show the log")
    editor.page.locator('.tab.active[data-resource-name="server.log"]').wait_for()
    until(lambda: "a line of the log" in editor.text(), "the log")


def test_nothing_of_all_this_was_worth_a_message(editor: Editor) -> None:
    """Kept last: what the tests before have caused."""
    assert editor.messages() == []

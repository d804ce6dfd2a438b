"""Each action in a real Neovim, by the text that it leaves and by what the ledger then says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.editors.neovim.answers import BLOCK
from tests.editors.neovim.driver import Outcome

if TYPE_CHECKING:
    from tests.editors.neovim.conftest import OpenEditor
    from tests.editors.neovim.driver import Editor


def test_accepting_inserts_all_of_it(editor: Editor):
    editor.open("accept.py", "rows = load()\naccepted = \nprint(accepted)\n")
    editor.sees("sum(rows)")
    editor.press("<Tab>")
    editor.has("accepted = sum(rows)\nprint")
    assert editor.cursor == (2, len("accepted = sum(rows)"))
    editor.sees(None)
    editor.outcome_is("accept.py", Outcome("sum(rows)", "accepted", "explicit", "sum(rows)"))


def test_accepting_a_block_inserts_all_its_lines(editor: Editor):
    editor.open("block.py", "def area(w, h):\n    \nprint(area(1, 2))\n")
    editor.sees(BLOCK)
    editor.press("<Tab>")
    editor.has(f"def area(w, h):\n    {BLOCK}\nprint")
    assert editor.cursor == (3, len("    return size"))
    editor.outcome_is("block.py", Outcome(BLOCK, "accepted", "explicit", BLOCK))


def test_accepting_words_keeps_the_rest_on_display(editor: Editor):
    editor.open("word.py", "rows = load()\nwordy = \n")
    editor.sees("max(rows, key=size)")
    for taken, rest in (("max", "(rows, key=size)"), ("(", "rows, key=size)"), ("rows", ", key=size)")):
        editor.press("<C-l>")
        editor.sees(rest)
        assert editor.text.split("\n")[1].endswith(taken)
    editor.press("<Esc>")
    editor.outcome_is("word.py", Outcome("max(rows, key=size)", "partial", "explicit", "max(rows"))


def test_accepting_the_last_word_accepts_it_all(editor: Editor):
    editor.open("words.py", "umlauts = \n")
    editor.sees("größe + naïve")
    editor.press("<C-l>", "<C-l>", "<C-l>")
    editor.has("umlauts = größe + naïve\n")
    editor.sees(None)
    editor.outcome_is("words.py", Outcome("größe + naïve", "accepted", "explicit", "größe + naïve"))


def test_accepting_words_and_then_all_the_rest(editor: Editor):
    """The last of it is one character, which a key could have typed as well."""
    editor.open("rest.py", "rows = load()\nrested = \n")
    editor.sees("sum(rows)")
    editor.press("<C-l>", "<C-l>", "<C-l>")
    editor.sees(")")
    editor.press("<Tab>")
    editor.has("rested = sum(rows)\n")
    editor.outcome_is("rest.py", Outcome("sum(rows)", "accepted", "explicit", "sum(rows)"))


def test_accepting_lines_one_by_one(editor: Editor):
    editor.open("line.py", "def lines(w, h):\n    \n")
    editor.sees(BLOCK)
    editor.press("<C-j>")
    editor.has("def lines(w, h):\n    size = w * h\n")
    editor.sees("\n    return size")
    editor.press("<C-j>")
    editor.has("def lines(w, h):\n    size = w * h\n    return size\n")
    editor.outcome_is("line.py", Outcome(BLOCK, "accepted", "explicit", BLOCK))


def test_what_was_dismissed_does_not_come_back_by_itself(editor: Editor):
    editor.open("dismiss.py", "rows = load()\nunwanted = \n")
    editor.sees("min(rows)")
    editor.press("<C-]>")
    editor.sees(None)
    editor.press("<BS>", "<Space>")
    editor.type("x")
    editor.press("<BS>")
    editor.sees(None)
    editor.press("<M-\\>")
    editor.sees("min(rows) (1/1)" if editor.draws_itself else "min(rows)")
    editor.press("<Esc>")
    editor.outcome_is("dismiss.py", Outcome("min(rows)", "rejected", "explicit", ""))


def test_turning_through_the_candidates(editor: Editor):
    first, second = "rows.copy()", "rows.left()"
    hints = (" (1/2)", " (2/2)") if editor.draws_itself else ("", "")
    editor.open("cycle.py", "rows = load()\nleft = \n")
    editor.sees(first)
    editor.press("<M-]>")
    editor.sees(second + hints[1])
    editor.press("<M-]>")
    editor.sees(first + hints[0])
    editor.press("<M-[>")
    editor.sees(second + hints[1])
    editor.press("<Tab>")
    editor.has("left = rows.left()\n")
    editor.outcome_is("cycle.py", Outcome(second, "accepted", "explicit", second))


def test_typing_through_it_keeps_the_rest_on_display(editor: Editor):
    editor.open("typed.py", "rows = load()\ntyped = \n")
    editor.sees("list(rows)[0]")
    editor.type("li")
    editor.sees("st(rows)[0]")
    editor.type("st(")
    editor.sees("rows)[0]")
    editor.type("rows)[0]")
    editor.sees(None)
    editor.has("typed = list(rows)[0]\n")
    editor.outcome_is("typed.py", Outcome("list(rows)[0]", "typed", "inferred", "list(rows)[0]"))


def test_typing_through_a_block(editor: Editor):
    """Enter brings the second line's indentation."""
    editor.open("typed_block.py", "def twice(number):\n    \n")
    block = "total = 2 * number\n    return total"
    editor.sees(block)
    editor.type("total = 2 * number")
    editor.sees("\n    return total")
    editor.type("\nreturn ")
    editor.sees("total")
    editor.type("total")
    editor.has(f"twice(number):\n    {block}\n")
    editor.outcome_is("typed_block.py", Outcome(block, "typed", "inferred", block))


def test_typing_something_else_takes_it_away_at_once(editor: Editor):
    editor.open("diverged.py", "rows = load()\ndiverged = \n")
    editor.sees("sorted(rows)")
    editor.read()
    editor.type("so")
    editor.sees("rted(rows)")
    editor.type("me")
    assert editor.ghost is None
    editor.type("thing")
    editor.press("<Esc>")
    editor.outcome_is("diverged.py", Outcome("sorted(rows)", "diverged", "inferred", "something"))


def test_one_undo_takes_back_what_was_accepted_and_no_more(editor: Editor):
    editor.open("undo.py", "rows = load()\nun\n ")
    editor.press("<Esc>", "k", "A")
    editor.type("done = ")
    editor.sees("any(rows)")
    editor.press("<Tab>")
    editor.has("undone = any(rows)")
    editor.press("<Esc>", "u")
    assert editor.text == "rows = load()\nundone = \n \n"
    editor.outcome_is("undo.py", Outcome("any(rows)", "rejected", "inferred", ""))


def test_wide_characters_and_a_tab_before_the_cursor(editor: Editor):
    editor.open("wide.py", "if True:  # ß\n\tnaïve = '𝄞𝄞'; ß = \n\tpass\n")
    editor.sees("'𝄞' + π")
    editor.press("<C-l>")
    editor.sees(" + π")
    editor.press("<Tab>")
    editor.has("ß = '𝄞' + π\n\tpass")
    editor.outcome_is("wide.py", Outcome("'𝄞' + π", "accepted", "explicit", "'𝄞' + π"))


def test_tabs_in_it_are_inserted_as_tabs(editor: Editor):
    editor.open("tabs.py", "def deep(): \n\tif deep:\n\t\t\n")
    editor.press("<Esc>", "j", "j", "A")
    indent = 2 * 4 * " " if editor.draws_itself else "\t\t"
    editor.sees(f"go()\n{indent}return")
    editor.press("<Tab>")
    editor.has("\tif deep:\n\t\tgo()\n\t\treturn\n")
    editor.outcome_is("tabs.py", Outcome("go()\n\t\treturn", "accepted", "explicit", "go()\n\t\treturn"))


def test_leaving_insert_mode_takes_it_away(editor: Editor):
    editor.open("leave.py", "rows = load()\nhushed = \n")
    editor.sees("rows.keys()")
    editor.press("<Esc>")
    editor.sees(None)
    editor.press("A")
    editor.sees("rows.keys()")


def test_it_can_be_asked_for_where_it_does_not_come_by_itself(version: str, open_editor: OpenEditor):
    editor = open_editor(version, auto=False)
    editor.open("asked.py", "rows = load()\nasked = \n")
    editor.type("asked = ")
    editor.sees(None)
    editor.press("<M-\\>")
    editor.sees("rows.pop() (1/1)" if editor.draws_itself else "rows.pop()")
    editor.press("<Tab>")
    editor.has("asked = asked = rows.pop()\n")
    editor.outcome_is("asked.py", Outcome("rows.pop()", "accepted", "explicit", "rows.pop()"))


def test_neovims_own_mapping_accepts_it_too(open_editor: OpenEditor):
    """`vim.lsp.inline_completion.get()`, which a configuration may have for other servers already."""
    editor = open_editor("0.12")
    editor.open("own.py", "before = \n")
    editor.sees("1")
    editor.lua("vim.keymap.set('i', '<C-y>', function() vim.lsp.inline_completion.get() end)")
    editor.press("<C-y>")
    editor.has("before = 1\n")
    editor.outcome_is("own.py", Outcome("1", "accepted", "explicit", "1"))


def test_keys_do_what_they_did_without_ghost_text(editor: Editor):
    editor.open("keys.py", "nothing: \n")
    editor.press("<Tab>", "x")
    editor.has("nothing:    x\n")
    assert editor.ghost is None
    assert editor.outcomes("keys.py") == []


def test_keys_pressed_at_once_come_after_what_was_accepted(editor: Editor):
    """A key that follows Tab before the editor has looked at it must not get in front of the text."""
    editor.open("quick.py", "rows = load()\nquick = \n")
    editor.sees("len(rows)")
    editor.press("<Tab>;x")
    editor.has("quick = len(rows);x\n")
    editor.outcome_is("quick.py", Outcome("len(rows)", "accepted", "explicit", "len(rows)"))

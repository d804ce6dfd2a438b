"""Ghost text beside Neovim's own completion menu."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.editors.neovim.driver import Outcome

if TYPE_CHECKING:
    from tests.editors.neovim.conftest import OpenEditor
    from tests.editors.neovim.driver import Editor

TEXT = "private print\npri \n"


def open_menu(editor: Editor, file: str, keys: str) -> None:
    editor.open(file, TEXT)
    editor.press("<BS>", keys)
    editor.until(lambda: editor.lua("return vim.fn.pumvisible()") == 1)


def test_it_continues_the_item_that_is_selected_but_not_inserted(editor: Editor):
    editor.command("set completeopt=menuone,noinsert")
    open_menu(editor, "selected.py", "<C-n>")
    editor.sees("vate_rows()")
    editor.press("<Down>")
    editor.sees("nt(rows)")
    editor.press("<Tab>")
    editor.has("private print\nprint(rows)\n")
    assert editor.lua("return vim.fn.pumvisible()") == 0
    editor.outcome_is("selected.py", Outcome("nt(rows)", "accepted", "explicit", "nt(rows)"))


def test_it_continues_the_item_that_is_inserted(editor: Editor):
    editor.command("set completeopt=menuone")
    open_menu(editor, "inserted.py", "<C-n>")
    editor.sees("_rows()")
    editor.press("<Tab>")
    editor.has("private print\nprivate_rows()\n")
    editor.outcome_is("inserted.py", Outcome("_rows()", "accepted", "explicit", "_rows()"))


def test_the_menu_can_have_the_place_for_itself(open_editor: OpenEditor):
    editor = open_editor(menu="hide")
    editor.command("set completeopt=menuone,noinsert")
    editor.open("hidden.py", TEXT)
    editor.press("<BS>")
    editor.sees("nt(rows)")
    editor.press("<C-n>")
    editor.sees(None)
    editor.press("<C-e>")
    editor.type("n")
    editor.sees("t(rows)")


@pytest.mark.parametrize(("plugin", "asked"), [("cmp", "visible"), ("blink.cmp", "is_menu_visible")])
def test_a_plugins_menu_can_have_the_place_for_itself(open_editor: OpenEditor, plugin: str, asked: str):
    """Stand-ins for the plugins, of which nothing is asked but whether their menu is open."""
    editor = open_editor(menu="hide")
    editor.lua(
        "local plugin, asked = ...; package.loaded[plugin] = { [asked] = function() return _G.open end }",
        plugin,
        asked,
    )
    editor.open("plugin.py", "before = \n")
    editor.sees("1")
    editor.lua("_G.open = true")
    editor.press("<BS>")
    editor.sees(None)
    editor.press("<Space>")
    editor.sees(None)
    editor.lua("_G.open = false")
    editor.press("<BS>", "<Space>")
    editor.sees("1")

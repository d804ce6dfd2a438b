"""Scenes in Neovim, each of which knows what became of its offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sessions.neovim import Neovim


@dataclass(frozen=True)
class Truth:
    """What the script knows of the one offer in a file."""

    file: str
    label: str
    text: str
    """What stands there in the end."""


def scene_accept(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\naccepted = \nprint(accepted)\n")
    nvim.sees("sum(rows)")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("accepted = sum(rows)\n")
    nvim.leave()
    return Truth(file, "accepted", "sum(rows)")


def scene_accept_block(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "def area(w, h):\n    \nprint(area(1, 2))\n")
    block = "size = w * h\n    return size"
    nvim.sees(block)
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("h):\n    " + block)
    nvim.leave()
    return Truth(file, "accepted", block)


def scene_accept_wide(nvim: Neovim, file: str) -> Truth:
    """Characters outside the basic plane and a tab stand before the cursor."""
    nvim.open(file, "if True:\n\tnaïve = '𝄞𝄞'; ß = \n\tpass\n".replace("True:", "True: # ß"))
    nvim.sees("'𝄞' + π")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("ß = '𝄞' + π\n")
    nvim.leave()
    return Truth(file, "accepted", "'𝄞' + π")


def scene_accept_rest(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\nremaining = \n")
    nvim.sees("len(rows) - 1")
    nvim.read(0.4)
    nvim.type("len")
    nvim.sees("(rows) - 1")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("remaining = len(rows) - 1\n")
    nvim.leave()
    return Truth(file, "accepted", "len(rows) - 1")


def scene_accept_then_edit(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\nchanged = \n")
    nvim.sees("max(rows, key=size)")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("max(rows, key=size)")
    nvim.read(1.3)
    nvim.press("<Esc>", "F", "s", "c", "w")
    nvim.type("age")
    nvim.leave()
    nvim.has("max(rows, key=age)")
    return Truth(file, "edited", "max(rows, key=age)")


def scene_accept_then_delete_line(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\ndeleted = \nprint(rows)\n")
    nvim.sees("min(rows)")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("min(rows)")
    nvim.read(1.3)
    nvim.press("<Esc>", "d", "d")
    nvim.lacks("deleted")
    nvim.leave()
    return Truth(file, "edited", "")


def scene_undo(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\nundone = \n")
    nvim.sees("any(rows)")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("undone = any(rows)")
    nvim.read(1.3)
    nvim.press("<Esc>", "u")
    nvim.lacks("any(rows)")
    nvim.leave()
    return Truth(file, "rejected", "")


def scene_undo_and_redo(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\nredone = \n")
    nvim.sees("all(rows)")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("redone = all(rows)")
    nvim.read(1.3)
    nvim.press("<Esc>", "u")
    nvim.lacks("all(rows)")
    nvim.read(0.4)
    nvim.press("<C-r>")
    nvim.has("redone = all(rows)")
    nvim.leave()
    return Truth(file, "accepted", "all(rows)")


def scene_type_all(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\ntyped = \n")
    nvim.sees("list(rows)[0]")
    nvim.read(0.4)
    nvim.type("list(rows)[0]")
    nvim.has("typed = list(rows)[0]\n")
    nvim.leave()
    return Truth(file, "typed", "list(rows)[0]")


def scene_type_with_typo(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\nmended = \n")
    nvim.sees("rows.first()")
    nvim.read(0.4)
    nvim.type("rows.fo")
    nvim.press("<BS>")
    nvim.type("irst()")
    nvim.has("mended = rows.first()\n")
    nvim.leave()
    return Truth(file, "typed", "rows.first()")


def scene_type_block(nvim: Neovim, file: str) -> Truth:
    """Enter brings the second line's indentation."""
    nvim.open(file, "def twice(number):\n    \n")
    block = "total = 2 * number\n    return total"
    nvim.sees(block)
    nvim.read(0.4)
    nvim.type("total = 2 * number\nreturn total")
    nvim.has("twice(number):\n    " + block)
    nvim.leave()
    return Truth(file, "typed", block)


def scene_diverge(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\ndiverged = \n")
    nvim.sees("sorted(rows)")
    nvim.read()
    nvim.type("sorted[1:]")
    nvim.has("diverged = sorted[1:]\n")
    nvim.leave()
    return Truth(file, "diverged", "sorted[1:]")


def scene_leave(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\nignored = \nprint(rows)\n")
    nvim.sees("rows.copy()")
    nvim.read()
    nvim.press("<Esc>", "G", "A")
    nvim.type("  # later")
    nvim.has("print(rows)  # later")
    nvim.leave()
    return Truth(file, "ignored", "")


def scene_backspace_before(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\nwithdrawn = \nprint(rows)\n")
    nvim.sees("rows.pop()")
    nvim.read()
    nvim.press("<BS>", "<BS>")
    nvim.has("withdrawn \n")
    nvim.leave()
    return Truth(file, "ignored", "")


def scene_paste(nvim: Neovim, file: str) -> Truth:
    nvim.open(file, "rows = load()\npasted = \n")
    nvim.sees("rows.last()")
    nvim.read()
    nvim.paste("https://example.org/a/b?c=d&e=f")
    nvim.has("pasted = https://example.org")
    nvim.leave()
    return Truth(file, "ignored", "")


def scene_reload(nvim: Neovim, file: str) -> Truth:
    """Another branch is checked out, with other text on this line and a line more above it."""
    nvim.open(file, "rows = load()\nreloaded = \nprint(rows)\n" + _FILLER)
    nvim.sees("rows.get('key')")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("reloaded = rows.get('key')")
    nvim.read(1.3)
    nvim.leave()
    theirs = "import os\nrows = load()\nreloaded = theirs(os.environ)  # theirs\nprint(rows)\n"
    (nvim.project / file).write_text(theirs + _FILLER.replace("line", "entry"))
    nvim.command("edit!")
    nvim.has("theirs(os.environ)")
    nvim.leave()
    return Truth(file, "accepted", "rows.get('key')")


def scene_reload_elsewhere(nvim: Neovim, file: str) -> Truth:
    """The file is read again with the accepted text in it and another line above it."""
    nvim.open(file, "rows = load()\nkept = \nprint(rows)\n" + _FILLER)
    nvim.sees("rows.items()")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("kept = rows.items()")
    nvim.read(1.3)
    nvim.leave()
    (nvim.project / file).write_text("import os\n" + nvim.text)
    nvim.command("edit!")
    nvim.has("import os")
    nvim.leave()
    return Truth(file, "accepted", "rows.items()")


def scene_format(nvim: Neovim, file: str) -> Truth:
    """``gq`` sends the line through a formatter, which spaces the operators."""
    nvim.open(file, "rows = load()\nspaced = \nprint(rows)\n")
    nvim.sees("one+two+rows")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("spaced = one+two+rows")
    nvim.read(1.3)
    nvim.press("<Esc>")
    nvim.command("setlocal formatexpr= formatprg=sed\\ 's/+/\\ +\\ /g'")
    nvim.press("g", "q", "q")
    nvim.has("spaced = one + two + rows")
    nvim.leave()
    return Truth(file, "accepted", "one + two + rows")


def scene_indent(nvim: Neovim, file: str) -> Truth:
    """``=`` indents the whole file anew."""
    nvim.open(file, "if found:\n  print(rows)\nwhile True:\n  if \n  break\n".replace("if \n", "check = \n"))
    nvim.sees("rows.pop(0)")
    nvim.read()
    nvim.press("<Tab>")
    nvim.has("check = rows.pop(0)")
    nvim.read(1.3)
    nvim.press("<Esc>", "g", "g", "=", "G")
    nvim.has("    check = rows.pop(0)")
    nvim.leave()
    return Truth(file, "accepted", "rows.pop(0)")


_FILLER = "".join(f"line_{n} = {n}\n" for n in range(20))

ANSWERS = {
    "accepted = ": "sum(rows)",
    "area(w, h):\n    ": "size = w * h\n    return size",
    "ß = ": "'𝄞' + π",
    "remaining = ": "len(rows) - 1",
    "changed = ": "max(rows, key=size)",
    "deleted = ": "min(rows)",
    "undone = ": "any(rows)",
    "redone = ": "all(rows)",
    "typed = ": "list(rows)[0]",
    "mended = ": "rows.first()",
    "twice(number):\n    ": "total = 2 * number\n    return total",
    "diverged = ": "sorted(rows)",
    "ignored = ": "rows.copy()",
    "withdrawn = ": "rows.pop()",
    "pasted = ": "rows.last()",
    "reloaded = ": "rows.get('key')",
    "kept = ": "rows.items()",
    "spaced = ": "one+two+rows",
    "check = ": "rows.pop(0)",
}
SCENES = {name: each for name, each in sorted(globals().items()) if name.startswith("scene_")}

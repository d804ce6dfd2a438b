"""A machine that has neither server nor model: two buttons lead to ghost text."""

from __future__ import annotations

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from models.catalogue import HubFile, find
from tests.editors.vscode.programs import real

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.editors.vscode.conftest import NewWorkbench
    from tests.editors.vscode.workbench import Workbench

# A browser, a workbench and a language model on two cores.
pytestmark = pytest.mark.timeout(300)

MODEL = "smollm2-135m"
PACKAGE = "./no-such-folder/nightschool.whl"
"""Whatever runs instead of our uv finds nothing in it, and asks no package index."""
UV = """#!/bin/sh
if [ "$1" = --version ]; then echo "uv 0.9.9"; exit; fi
echo "$@" >"$HOME/asked-of-uv"
mkdir -p "$HOME/.local/bin" && cp '{program}' "$HOME/.local/bin/nightschool"
echo "Installed 1 executable: nightschool" >&2
"""
LOADED_S = 120.0
ADDING = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return a - b\n\n\n"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def hub(smollm: Path, tmp_path: Path) -> Iterator[str]:
    """The address of an HTTP server that has the model where the Hugging Face hub has it."""
    (source,) = [each for each in find(MODEL).sources if isinstance(each, HubFile)]
    file = tmp_path / source.repository / "resolve/main" / source.file
    file.parent.mkdir(parents=True)
    file.symlink_to(smollm)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def bare(new_workbench: NewWorkbench, hub: str) -> Iterator[Workbench]:
    """A machine with uv alone, which "installs" the real server."""
    wish = {"workbench.welcomePage.walkthroughs.openOnInstall": True}
    settings = {"nightschool.model": MODEL, "nightschool.server.package": PACKAGE}
    workbench = new_workbench(**wish, **settings)
    machine = workbench.server
    uv = machine.programs / "uv"
    (program,) = real(workbench.home, hub=hub)
    uv.write_text(UV.format(program=program))
    uv.chmod(0o755)
    yield workbench
    uv.unlink()
    shutil.rmtree(machine.person / ".local", ignore_errors=True)


def test_two_buttons_lead_from_nothing_to_ghost_text(browser: Browser, bare: Workbench) -> None:
    with bare.opened(browser) as editor:
        editor.is_told("its server is not installed")
        editor.press_button("its server is not installed", "Install it")
        assert any("the server is not installed" in status for status in editor.statuses())
        editor.is_told(f"there is no model yet ({MODEL})", LOADED_S)
        editor.press_button("there is no model yet", "Get it")
        assert (bare.server.person / "asked-of-uv").read_text().split()[-1] == PACKAGE
        assert any("run: nightschool model get" in status for status in editor.statuses())
        editor.is_told(f"getting {MODEL}")
        begin = editor.page.locator(".gettingStartedContainer", has_text="Begin with Nightschool")
        begin.wait_for()
        for step in ("Install the server", "Get the model", "Type", "Let it learn"):
            assert begin.locator(".step-title", has_text=step).count()
        editor.wait_for_status(f"ready: {MODEL}", LOADED_S)
        messages = [text for text in editor.messages() if "installing" not in text and "getting" not in text]
        assert len(messages) == 2, "what the server says of the missing model has been said"
        editor.open("first.py", ADDING)
        editor.at_end()
        editor.type("def multiply(a, b):\n")
        editor.ghost()
        editor.press("Tab")
        saved = editor.save("first.py")
        row = bare.rows.labelled("accepted", "first.py")
        assert saved.rstrip().endswith(row["offered_text"].strip())
        assert row["known_by"] == "explicit"
        files = sorted(path.name for path in (bare.home / "models").iterdir())
        assert find(MODEL).file in files

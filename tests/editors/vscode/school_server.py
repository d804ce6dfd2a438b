"""``tests.sessions.scripted_server`` whose answers depend on the adapter, and whose night is a script.

Usage: python -m tests.editors.vscode.school_server ANSWERS.json HOME RECORDING.jsonl [NIGHT...]

``ANSWERS.json`` maps ``base`` and adapters' ids to what the text before the cursor ends with, and that to
what the engine then says; an adapter that is not named there says what the base says. ``NIGHT`` is the
command that stands for ``nightschool train``.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from learner.registry import id_of_path
from lsp_server import server
from lsp_server.night import Night
from models.home import Home
from tests.lsp_server.fake_engine import FakeEngine
from tests.sessions.scripted_server import Recording, answer_from, main

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.engine import Request


def says(answers: dict[str, dict[str, str]], adapter: Callable[[], Path | None]):
    def answer(request: Request) -> list[str]:
        path = adapter()
        known = answers.get(id_of_path(path)) if path else None
        return answer_from(known or answers["base"])(request)

    return answer


if __name__ == "__main__":
    script, directory, recorded = (Path(each) for each in sys.argv[1:4])
    if night := sys.argv[4:]:
        server.Night = functools.partial(Night, command=night)
    engine = FakeEngine(lambda request: [])
    engine.says = says(json.loads(script.read_text()), lambda: engine.adapter)
    # Each server's messages are in a file of its own: one that is restarted must not lose those before.
    recording = Recording(recorded.with_stem(f"{recorded.stem}-{os.getpid()}"), str(Path.cwd()))
    code = asyncio.run(main(engine, Home(directory), str(script), recording))
    os._exit(code)  # the reader of stdin may still hang

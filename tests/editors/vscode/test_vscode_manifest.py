"""The extension's manifest beside the server: what can be set there can be set here."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

from lsp_server.settings import Settings

MANIFEST = Path(__file__).parents[3] / "editor-clients/vscode/package.json"
FOR_OTHER_EDITORS = {"completion_items"}


def test_each_setting_of_the_servers_is_described_with_its_default() -> None:
    properties = json.loads(MANIFEST.read_text())["contributes"]["configuration"]["properties"]
    described = {}
    for name, shape in properties.items():
        own = name.removeprefix("nightschool.")
        assert shape.get("description") or shape.get("markdownDescription"), name
        if not own.startswith("server."):
            described[re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", own)] = shape["default"]
    known = {name: value for name, value in asdict(Settings()).items() if name not in FOR_OTHER_EDITORS}
    assert described.keys() == known.keys()
    # Of the context the server fills in what is not named.
    usual = {name: list(value) if isinstance(value, tuple) else value for name, value in known.items()}
    assert described | {"context": None} == usual | {"context": None}

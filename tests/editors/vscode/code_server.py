"""The workbench's server: code-server, a real VS Code whose windows are a browser's."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.editors.vscode.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[3]
PROGRAM = Path(os.environ.get("CODE_SERVER_PROGRAM", REPOSITORY / ".bench/code-server/bin/code-server"))
VSIX = REPOSITORY / "editor-clients/vscode/nightschool.vsix"
OTHER_PROVIDER = Path(__file__).parent / "other_provider"
GOODBYE_S = 20.0
SETTINGS = {
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "workbench.enableExperiments": False,
    "chat.disableAIFeatures": True,
    "editor.minimap.enabled": False,
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "editor.suggestOnTriggerCharacters": False,
    "editor.occurrencesHighlight": "off",
    "files.autoSave": "off",
    "update.mode": "none",
    "extensions.autoUpdate": False,
    "workbench.welcomePage.walkthroughs.openOnInstall": False,
    "files.readonlyInclude": {"**/read_only*": True},
    "nightschool.debounce": 0,
    # What is offered is to be what the scripted model says, and nights are those that a test asks for.
    "nightschool.gate": 0,
    "nightschool.memory": False,
    "nightschool.microNights": False,
}


@dataclass
class CodeServer:
    """The workbench's server, with the extension installed; its user owns nothing but ``folder``."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    address: str = ""

    @property
    def person(self) -> Path:
        """The user's own home directory."""
        return self.folder / "person"

    @property
    def programs(self) -> Path:
        """The only place of ``PATH`` that is not the system's."""
        return self.folder / "programs"

    @contextlib.contextmanager
    def running(self) -> Iterator[CodeServer]:
        for each in (self.person, self.programs):
            each.mkdir()
        environment = os.environ | {
            "HOME": str(self.person),
            "PATH": f"{self.programs}:/usr/bin:/bin",
            "VSCODE_PROXY_URI": "",
            # As from a terminal: else a login shell is asked for its own PATH.
            "VSCODE_CLI": "1",
            **self.environment,
        }
        folders = ["--user-data-dir", str(self.folder / "user")]
        folders += ["--extensions-dir", str(self.folder / "extensions")]
        extensions = [VSIX, packed(OTHER_PROVIDER, self.folder / "other.vsix")]
        install = [word for path in extensions for word in ("--install-extension", str(path))]
        subprocess.run(
            [str(PROGRAM), *folders, *install], check=True, capture_output=True, env=environment, timeout=120
        )
        port = _free_port()
        self.address = f"http://127.0.0.1:{port}/"
        # Were the tests killed, it would else stay.
        command = ["setpriv", "--pdeathsig", "TERM"]
        command += [str(PROGRAM), *folders, "--auth", "none", "--bind-addr", f"127.0.0.1:{port}"]
        command += ["--disable-telemetry", "--disable-update-check"]
        with (self.folder / "code-server.log").open("wb") as log:
            server = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        try:
            until(self._answers, "code-server's page")
            yield self
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(GOODBYE_S)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()

    def write_settings(self, settings: dict[str, Any]) -> None:
        """Replace the settings; open windows follow.

        The machine's own as well: to the browser this server is a remote machine.
        """
        everything = SETTINGS | settings
        usual = {name: value for name, value in everything.items() if not name.startswith("nightschool.")}
        # Ours only once: each file would start the server anew.
        for scope, values in (("User", usual), ("Machine", everything)):
            folder = self.folder / "user" / scope
            folder.mkdir(parents=True, exist_ok=True)
            # Never half a file: for a moment nothing would be set, and the server would be started anew.
            unfinished = self.folder / f"{scope}.json"
            unfinished.write_text(json.dumps(values))
            unfinished.replace(folder / "settings.json")

    def user_settings(self) -> dict[str, Any]:
        """Return what the user has set in the workbench."""
        with contextlib.suppress(ValueError):  # it is being written
            return json.loads((self.folder / "user/User/settings.json").read_text())
        return {}

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}healthz", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False


def packed(extension: Path, vsix: Path) -> Path:
    """Write the folder as an extension that can be installed."""
    with zipfile.ZipFile(vsix, "w") as archive:
        for file in extension.iterdir():
            archive.write(file, f"extension/{file.name}")
    return vsix


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

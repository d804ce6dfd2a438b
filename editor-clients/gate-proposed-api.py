"""gate-proposed-api.py CODE_SERVER: make code-server refuse proposed API, as the stable product does.

code-server allows it to every extension, so a test that passes there would say nothing of a published one.
The minified bundles are edited; where a newer version has other names, nothing is found and this fails.
"""

import re
import sys
from pathlib import Path

ALLOWS_ALL = r"function {name}\((\w),(\w)\)\{{return!0\}}"
ASKS_THE_MANIFEST = (
    r"function {name}(\1,\2){{return!!(\1.enabledApiProposals&&\1.enabledApiProposals.includes(\2))}}"
)
HOST = "lib/vscode/out/vs/workbench/api/node/extensionHostProcess.js"
WORKBENCH = "lib/vscode/out/vs/code/browser/workbench/workbench.js"


def gate(bundle: Path, caller: str, *, switches: int = 0) -> None:
    """Replace the function that ``caller``, a pattern, calls; and so many switches that allow all."""
    source = bundle.read_text("utf-8")
    name = re.search(caller, source)
    if name is None:
        raise SystemExit(f"{bundle} asks for proposed API in another way; adapt {Path(__file__).name}")
    source, functions = re.subn(
        ALLOWS_ALL.format(name=re.escape(name[1])),
        lambda found: found.expand(ASKS_THE_MANIFEST.format(name=name[1].replace("\\", r"\\"))),
        source,
    )
    source, found = re.subn("_envEnablesProposedApiForAll=!0", "_envEnablesProposedApiForAll=!1", source)
    if (functions, found) != (1, switches):
        raise SystemExit(f"{bundle}: {functions} functions and {found} switches, not 1 and {switches}")
    bundle.write_text(source, "utf-8")


if __name__ == "__main__":
    root = Path(sys.argv[1])
    gate(root / HOST, r'=([\w$]+)\(this\._extension,"inlineCompletionsAdditions"\)')
    gate(root / WORKBENCH, r'!([\w$]+)\(t\.description,"defaultChatParticipant"\)', switches=1)

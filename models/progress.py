"""How a download is shown: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

if TYPE_CHECKING:
    from models.catalogue import Model

LINES = 10
"""How many lines a download takes where there is no terminal."""


class DownloadView:
    """A :class:`models.download.Watcher` on stderr, so that stdout keeps the result alone."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.console = Console(stderr=True, highlight=False)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self.bar = Progress(
            *columns, TimeRemainingColumn(), console=self.console, disable=not self.console.is_terminal
        )
        self.task = self.bar.add_task(model.name, total=model.size)
        self.tenths = -1
        self.resumed = False

    def __enter__(self) -> DownloadView:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def begins(self, source: str) -> None:
        self.console.print(f"{self.model.name} from {source}")
        self.bar.reset(self.task)
        self.tenths = -1

    def progress(self, received: int) -> None:
        self.bar.update(self.task, completed=received, total=max(received, self.model.size))
        tenths = min(LINES, LINES * received // self.model.size)
        if tenths > self.tenths and not self.console.is_terminal:
            # An index's parts come in wheels, which weigh a little more than what is in them.
            known = min(received, self.model.size)
            self.console.print(f"  {known / 1e6:,.0f} of {self.model.size / 1e6:,.0f} MB")
        self.tenths = max(tenths, self.tenths)

    def verifies(self) -> None:
        known = "checksum" if self.model.sha256 else "header (no checksum is known)"
        self.console.print(f"checking the {known}")

    def passed_over(self, source: str, reason: str) -> None:
        self.console.print(f"passed over {source}: {reason}", markup=False)

"""``nightschool demo --night``: a day in a house with rules of its own, a night, and the like places again.

All of it is real: the server, what is offered, the ledger, the training, the exam. The day's files are never
saved, so that nothing but what was learned can know the house's rules. Memory knows them after the day; what
the weights alone have learned, the exam says: it is of outcomes that they were not trained on.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from learner.distance import kept_chars
from learner.examples import Selection
from learner.job import TrainingOptions
from learner.nightly import Night, NightOptions
from lsp_server.demo_client import Client
from lsp_server.demo_scenes import Editor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from learner.job import Progress
    from learner.nightly import NightResult
    from lsp_server.demo_client import Json
    from models.home import Home

VERBS = ("load", "save", "count", "merge", "print", "sort", "pack", "send", "read", "check", "move", "trace")
NOUNS = ("orders", "books", "loans", "shelves", "readers", "letters")
DAY, LIKE = 45, 6
"""Functions that are written by day, and others that are asked about before and after."""
LOOK_S = 0.5
"""At each offer: what was written ten seconds ago is remembered by then."""
SETTLED_S = 32.0
"""The ledger looks at the text after 10 and after 30 seconds; what only the first look saw may go on."""
SWAPPED_S = 10.0
OPTIONS = NightOptions(
    Selection(repository=0, practice=0),
    TrainingOptions(epochs=3, anchor=0.5, give_way=()),
)
"""Of so few examples only what is seen often enough is learned; all else is as at any night."""


class Moment(StrEnum):
    BEFORE = "before"
    DAY = "after the day"
    NIGHT = "after the night"


@dataclass(frozen=True)
class Place:
    """Where the house's rule says what follows."""

    name: str
    text: str
    """The file's, up to the cursor."""
    wanted: str

    @property
    def file(self) -> str:
        return f"{self.name}.py"


@dataclass
class Loop:
    """What was offered at the like places, and what the night said."""

    places: list[Place]
    offered: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """By moment, in the places' order; empty for silence."""
    served: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Likewise, from where: the model, memory, or an answer of either that was kept."""
    day: dict[str, int] = field(default_factory=dict[str, int])
    """How many of the day's offers were accepted, edited, rejected, typed over, or not made."""
    night: NightResult | None = None
    is_serving: bool = False
    """Whether the server that ran through the night has come to serve the new adapter."""

    def ask(self, moment: Moment, client: Client, project: Path) -> None:
        """Ask for ghost text at each place."""
        answers = [offered(client, project, place) for place in self.places]
        self.offered[moment] = [text for text, _ in answers]
        self.served[moment] = [served for _, served in answers]

    def right(self, moment: str) -> int:
        return sum(
            text == place.wanted for text, place in zip(self.offered[moment], self.places, strict=True)
        )

    def as_json(self) -> Json:
        return {
            "places": [{"function": place.name, "wanted": place.wanted} for place in self.places],
            "offered": self.offered,
            "served": self.served,
            "right": {moment: self.right(moment) for moment in self.offered},
            "day": self.day,
            "night": self.night.as_json() if self.night else None,
            "is_serving": self.is_serving,
        }


def functions(first: int, count: int) -> Iterator[list[Place]]:
    """Yield the two places of each function, the upper one first."""
    names = [(verb, noun) for verb in VERBS for noun in NOUNS]
    for number in range(first, first + count):
        verb, noun = names[number * 31 % len(names)]
        name = f"{verb}_{noun}"
        entry = f'audit.enter("{name}", RING_7)'
        above = f'"""{name}."""\nfrom house import *\n\n\ndef {name}(desk):\n    entry = '
        below = f'{above}{entry}\n    {noun} = desk.find("{noun}", entry)\n    return '
        yield [
            Place(name, above, entry),
            Place(name, below, f"Sealed({noun}, SEAL_B)"),
        ]


def close_the_loop(
    home: Home, model: Path, project: Path, say: Callable[[str], None], show: Callable[[Progress], None]
) -> Loop:
    """Play the day and the night in ``home``, and ask at the like places before, between and after.

    Args:
        say: told what comes next.
        show: told the night's progress.

    Raises:
        ServerError: a server ended or does not answer.
        NightFailedError, JobError, NothingToLearnError: there can be no night.
    """
    loop = Loop([place for places in functions(DAY, LIKE) for place in places])
    environment = os.environ | {"NIGHTSCHOOL_HOME": str(home.root)}
    client = Client(model, project, environment, {"micro_nights": False})
    try:
        client.wait_until_ready()
        say(f"before the day: {len(loop.places)} places whose rules no model can know")
        loop.ask(Moment.BEFORE, client, project)
        say(f"the day: {2 * DAY} completions, each answered as a developer would")
        loop.day = live(client, project)
        say("the like places, after the day")
        loop.ask(Moment.DAY, client, project)
        say("the night")
        loop.night = Night(home, OPTIONS, show).run()
        loop.is_serving = comes_to_serve(client, loop.night)
        say("the like places, after the night")
        loop.ask(Moment.NIGHT, client, project)
    finally:
        client.close()
    return loop


def offered(client: Client, project: Path, place: Place) -> tuple[str, str]:
    """Return what is offered at the place, and from where; close its file."""
    editor = opened(client, project, place)
    item, _ = editor.answer(editor.ask())
    editor.close()
    return str(item["insertText"]) if item else "", str(status(client)["last_completion"]["served"] or "")


def status(client: Client) -> Json:
    return client.request("workspace/executeCommand", {"command": "nightschool.status"})


def opened(client: Client, project: Path, place: Place) -> Editor:
    return Editor(client, (project / place.file).as_uri(), f"{place.text}\n", len(place.text))


def live(client: Client, project: Path) -> dict[str, int]:
    """Write the day's functions, and wait until the ledger has seen what settled."""
    done: Counter[str] = Counter()
    editors = []
    for number, (upper, lower) in enumerate(functions(0, DAY)):
        editor = opened(client, project, upper)
        for count, place in enumerate((upper, lower)):
            done[answer(editor, place.wanted, turn=2 * number + count)] += 1
            type_on(editor, lower.text[editor.cursor :])
        editors.append(editor)
    time.sleep(SETTLED_S)
    for editor in editors:
        editor.close()
    return done


def answer(editor: Editor, wanted: str, turn: int) -> str:
    """Ask at the cursor and do with the offer what a developer would who wants ``wanted`` there."""
    item, _ = editor.answer(editor.ask())
    time.sleep(LOOK_S)
    start = editor.cursor
    text = str(item["insertText"]) if item else ""
    if item is None:
        what = "nothing offered"
    elif text == wanted:
        editor.accept(item)
        return "accepted"
    elif 2 * kept_chars(text, wanted) > len(wanted):
        editor.accept(item)
        what = "edited"
    elif turn % 2:
        editor.client.notify("nightschool/didReject", {"offerIds": [item["command"]["arguments"][0]]})
        what = "rejected"
    else:
        what = "typed over"
    while editor.cursor > start and not wanted.startswith(editor.text[start : editor.cursor]):
        editor.change(editor.cursor - 1, editor.cursor, "")
    type_on(editor, wanted[editor.cursor - start :])
    return what


def type_on(editor: Editor, text: str) -> None:
    """Type key by key: what comes at once is taken for pasted, of which nothing is learned."""
    for key in text:
        editor.type(key)


def comes_to_serve(client: Client, result: NightResult) -> bool:
    """Return whether the running server serves the night's adapter, for which it has a while."""
    give_up = time.monotonic() + (0 if result.reasons else SWAPPED_S)
    while status(client)["adapter"] != result.adapter:
        if time.monotonic() > give_up:
            return False
        time.sleep(0.02)
    return True

"""Prompts: what they show, and that they stay the same from keystroke to keystroke."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learner.privacy import PrivacyFilter
from learner.window import NEAR, Budget, cursor_prompt
from lsp_server.context import FAR, Context, enclosing_block
from lsp_server.documents import Document, Point, Workspace
from lsp_server.window import Window
from models.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SECRET = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
BUDGET = Budget(prefix_lines=40, prefix_chars=4000, suffix_lines=10, suffix_chars=1000)


class House:
    """A workspace on the disk with a context over it."""

    def __init__(self, root: Path, indexes: Path) -> None:
        self.root = root
        self.workspace = Workspace()
        self.workspace.add_folder(root.as_uri())
        self.privacy = PrivacyFilter([root])
        self.context = Context(self.workspace, self.privacy, indexes, BUDGET)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def open(self, name: str, text: str) -> Document:
        return self.workspace.open(self.write(name, text).as_uri(), text, "python", 1)

    async def indexed(self) -> None:
        self.context.use_folders(self.privacy)
        await self.context.indexed()

    def edit(self, document: Document, start: Point, end: Point, text: str) -> None:
        self.context.note_edit(document, document.replace(start, end, text))

    def shown(self, document: Document, point: Point) -> list[str]:
        return [chunk.path for chunk in self.context.prompt(document, point).chunks]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    (tmp_path / "project").mkdir()
    house = House(tmp_path / "project", tmp_path / "indexes")
    yield house
    house.context.close()


def numbered(count: int) -> str:
    return "".join(f"value_{row} = {row}\n" for row in range(count))


async def test_a_prompt_is_the_text_around_the_cursor(house: House) -> None:
    document = house.open("src/a.py", "a = 1\nb = 2\nc = 3\n")
    prompt = house.context.prompt(document, Point(1, 4))
    assert prompt == Prompt("a = 1\nb = ", "2\nc = 3\n", "src/a.py", "project", ())


async def test_a_file_outside_of_the_workspace_is_shown_by_its_name_alone(house: House) -> None:
    document = house.workspace.open("file:///elsewhere/a.py", "a", "python", 1)
    assert house.context.prompt(document, Point(0, 1)) == Prompt("a", "", "a.py")
    untitled = house.workspace.open("untitled:1", "a", "python", 1)
    assert house.context.prompt(untitled, Point(0, 1)) == Prompt("a", "")


async def test_typing_extends_the_prefix_and_keeps_the_suffix(house: House) -> None:
    document = house.open("a.py", numbered(200))
    house.edit(document, Point(100, 0), Point(100, 0), "\n")
    before = house.context.prompt(document, Point(100, 0))
    for column, letter in enumerate("result = 1"):
        house.edit(document, Point(100, column), Point(100, column), letter)
        now = house.context.prompt(document, Point(100, column + 1))
        assert now.prefix == before.prefix + letter
        assert now.suffix == before.suffix
        before = now


async def test_going_down_starts_the_prefix_anew_only_now_and_then(house: House) -> None:
    document = house.open("a.py", numbered(400))
    firsts = [
        house.context.prompt(document, Point(row, 0)).prefix.partition("\n")[0] for row in range(100, 300)
    ]
    assert sum(one != other for one, other in pairwise(firsts)) <= 200 / 20 + 1


async def test_the_near_prompt_is_short_and_stays_in_place_as_well(house: House) -> None:
    house.write("mail.py", "def value_99():\n    pass\n")
    document = house.open("a.py", numbered(200))
    await house.indexed()
    await house.context.refresh(document, Point(100, 0))
    full, near = (show(document, Point(100, 0)) for show in (house.context.prompt, house.context.near))
    assert full.chunks and not near.chunks
    assert full.prefix.endswith(near.prefix) and full.suffix.startswith(near.suffix)
    widest, narrow = sum(vars(Budget()).values()), sum(vars(NEAR).values())
    assert 4 * narrow < widest
    house.edit(document, Point(3, 0), Point(5, 0), "x\n" * 10)
    assert house.context.near(document, Point(108, 0)) == near
    house.edit(document, Point(108, 0), Point(108, 0), "y\n")
    assert house.context.near(document, Point(109, 0)).prefix == near.prefix + "y\n"


async def test_lines_inserted_above_the_window_leave_the_prompt_as_it_is(house: House) -> None:
    document = house.open("a.py", numbered(400))
    before = house.context.prompt(document, Point(200, 0))
    house.edit(document, Point(3, 0), Point(5, 0), "x\n" * 10)
    assert house.context.prompt(document, Point(208, 0)) == before


async def test_secrets_are_replaced_outside_of_the_cursors_line(house: House) -> None:
    text = f"a = '{SECRET}'\nb = '{SECRET}'\nc = '{SECRET}'\n"
    prompt = house.context.prompt(house.open("a.py", text), Point(1, 0))
    assert (prompt.prefix + prompt.suffix).count(SECRET) == 1
    assert prompt.suffix.startswith(f"b = '{SECRET}'\n")
    assert (prompt.prefix + prompt.suffix).count("\n") == 3


async def test_a_huge_line_is_cut(house: House) -> None:
    document = house.open("a.py", "x" * 1_000_000 + "\n" + "y" * 1_000_000 + "\n" + "z" * 1_000_000)
    prompt = house.context.prompt(document, Point(1, 500_000))
    assert prompt.prefix == prompt.suffix == "y" * BUDGET.line_chars


@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=300),
    st.lists(st.integers(0, 299), min_size=1, max_size=30),
)
def test_a_window_is_the_text_next_to_the_cursor_and_keeps_to_its_budget(
    widths: list[int], rows: list[int]
) -> None:
    budget = Budget(prefix_lines=20, prefix_chars=400, suffix_lines=5, suffix_chars=100)
    document, window = Document("untitled:a", "".join("x" * width + "\n" for width in widths)), Window(budget)
    for row in rows:
        row = min(row, len(document.lines) - 1)
        prompt = cursor_prompt(
            document.lines,
            row,
            0,
            window.first_at(document, Point(row, 0)),
            budget,
            PrivacyFilter(()),
            path="a",
            repository="",
        )
        above = prompt.prefix.splitlines(keepends=True)
        here, *below = prompt.suffix.splitlines(keepends=True) or [""]
        assert here == document.lines[row]
        assert above == document.lines[row - len(above) : row]
        assert below == document.lines[row + 1 : row + 1 + len(below)]
        assert len(above) <= 20 and sum(map(len, above)) <= 400
        assert len(below) <= 5 and sum(map(len, below)) <= 100


async def test_the_definition_of_an_imported_name_is_shown(house: House) -> None:
    house.write("shop/orders.py", "class Order:\n    def total(self) -> int: ...\n\n\nclass Other: ...\n")
    house.write("other.py", "class Order:\n    wrong = True\n")
    document = house.open("main.py", "from shop.orders import Order\n\norder = Order()\norder.")
    await house.indexed()
    assert await house.context.refresh(document, Point(3, 6))
    last = house.context.prompt(document, Point(3, 6)).chunks[-1]
    assert (last.path, last.text) == ("shop/orders.py", "class Order:\n    def total(self) -> int: ...\n")


async def test_similar_lines_of_other_files_are_shown_but_not_those_of_this_one(house: House) -> None:
    text = "def send_invoice(customer):\n    invoice = build_invoice(customer)\n"
    house.write("mail.py", text + "    post(invoice)\n")
    house.write("weather.py", "def rain():\n    return cloud\n")
    document = house.open("main.py", "invoice = customer.invoice\n\n" + numbered(3))
    await house.indexed()
    assert await house.context.refresh(document, Point(0, 4))
    assert house.shown(document, Point(0, 4)) == ["mail.py"]


async def test_a_copy_of_the_current_file_is_not_shown(house: House) -> None:
    text = "def send_invoice(customer):\n    return build_invoice(customer)\n" + numbered(10)
    house.write("copy.py", text)
    document = house.open("main.py", text)
    await house.indexed()
    assert not await house.context.refresh(document, Point(1, 0))


async def test_an_open_file_is_shown_as_it_is_in_the_editor(house: House) -> None:
    other = house.open("mail.py", "def send_invoice(customer):\n    pass\n")
    document = house.open("main.py", "invoice = customer\n")
    await house.indexed()
    house.edit(other, Point(1, 4), Point(1, 8), "return 'unsaved'")
    await house.context.refresh(document, Point(0, 4))
    (chunk,) = house.context.prompt(document, Point(0, 4)).chunks
    assert "unsaved" in chunk.text


async def test_recent_places_are_shown_without_any_index(tmp_path: Path, house: House) -> None:
    other, document = house.open("b.py", numbered(100)), house.open("a.py", "x = 1\n")
    house.context.note_visit(other, Point(50, 0))
    assert await house.context.refresh(document, Point(0, 0))
    (chunk,) = house.context.prompt(document, Point(0, 0)).chunks
    assert chunk.path == "b.py" and "value_50 = 50\n" in chunk.text


async def test_many_recent_places_leave_room_for_what_is_similar(house: House) -> None:
    for name in ("b.py", "c.py", "d.py"):
        house.context.note_visit(house.open(name, f"{name[0] * 9} = 1\n"), Point(0, 0))
    house.write("mail.py", "def send_invoice(customer):\n    post(invoice)\n")
    document = house.open("main.py", "invoice = customer.invoice\n")
    await house.indexed()
    await house.context.refresh(document, Point(0, 4))
    assert house.shown(document, Point(0, 4))[-2:] == ["d.py", "mail.py"]


async def test_ignored_files_are_shown_by_no_way_and_secrets_are_replaced(house: House) -> None:
    house.write(".gitignore", "private.py\n")
    hidden = house.open("private.py", "def send_invoice(customer):\n    hidden = 1\n")
    house.context.note_visit(hidden, Point(0, 0))
    house.write("mail.py", f"def send_invoice(customer):\n    token = '{SECRET}'\n")
    document = house.open("main.py", "invoice = customer\n")
    await house.indexed()
    await house.context.refresh(document, Point(0, 4))
    (chunk,) = house.context.prompt(document, Point(0, 4)).chunks
    assert chunk.path == "mail.py"
    assert SECRET not in chunk.text


async def test_pieces_stay_pinned_until_the_cursor_is_elsewhere(house: House) -> None:
    house.write("mail.py", "def send_invoice(customer):\n    pass\n")
    house.write("weather.py", "def forecast_rain(cloud):\n    pass\n")
    text = (
        "def one():\n    invoice = customer\n"
        + "    pass\n" * FAR
        + "def two():\n    rain = cloud.forecast\n"
    )
    document = house.open("main.py", text)
    await house.indexed()
    assert await house.context.refresh(document, Point(1, 4))
    assert house.shown(document, Point(1, 4)) == ["mail.py"]
    assert not await house.context.refresh(document, Point(2, 4))
    assert await house.context.refresh(document, Point(FAR + 3, 4))
    assert house.shown(document, Point(FAR + 3, 4))[-1] == "weather.py"


async def test_pieces_that_stay_good_stay_in_front(house: House) -> None:
    names = {"mail.py": "invoice", "weather.py": "rain", "shop.py": "basket"}
    for name, word in names.items():
        house.write(name, f"def handle_{word}({word}):\n    pass\n")
    text = (
        "def one():\n    invoice = rain\n" + "    pass\n" * FAR + "def two():\n    basket = rain + invoice\n"
    )
    document = house.open("main.py", text)
    await house.indexed()
    await house.context.refresh(document, Point(1, 4))
    before = house.shown(document, Point(1, 4))
    await house.context.refresh(document, Point(FAR + 3, 4))
    assert house.shown(document, Point(FAR + 3, 4)) == [*before, "shop.py"]


async def test_a_closed_document_lets_go_of_its_pieces(house: House) -> None:
    house.write("mail.py", "def send_invoice(customer):\n    pass\n")
    document = house.open("main.py", "invoice = customer\n")
    await house.indexed()
    await house.context.refresh(document, Point(0, 4))
    house.context.note_close(document)
    assert house.shown(document, Point(0, 4)) == []


def test_the_enclosing_block_is_the_outermost_one() -> None:
    document = Document(
        "untitled:a", "import a\n\nclass B(\n    C,\n):\n    def d(self):\n        pass\n\ne = 1\n"
    )
    assert enclosing_block(document, 6) == "class B("
    assert enclosing_block(document, 8) == enclosing_block(document, 0) == ""


def test_a_budget_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="chunks' is -1"):
        Budget(chunks=-1)

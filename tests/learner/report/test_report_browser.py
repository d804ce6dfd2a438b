"""The page in a real browser: on a telephone and on a screen, by day and by night."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def opened(
    browser: Browser, html: Path, width: int, scheme: Literal["light", "dark"]
) -> tuple[Page, list[str]]:
    """Open the page; return it and all that the browser complained of or asked for besides."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: trouble.append(request.url))
    page.goto(html.as_uri())
    trouble.remove(html.as_uri())
    return page, trouble


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_and_asks_for_nothing(
    browser: Browser, html: str, tmp_path: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    """``NIGHTSCHOOL_PICTURES`` names a directory for the pictures that the documents show."""
    path = tmp_path / "report.html"
    path.write_text(html, "utf-8")
    page, trouble = opened(browser, path, width, scheme)
    assert trouble == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # With all tables open as well.
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = false)")
    # Letters in the plots are never smaller than this, in pixels of the screen.
    letters = page.evaluate(
        "[...document.querySelectorAll('svg[role=img]')].map(each => each.getBoundingClientRect().width"
        " / each.viewBox.baseVal.width * parseFloat(getComputedStyle(each.querySelector('text')).fontSize))"
    )
    assert len(letters) == 7 and min(letters) >= 11
    # The policy let the style sheet in: without it the page would be white in the dark.
    red = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0] * 1")
    assert (red < 60) == (scheme == "dark")
    if (pictures := os.environ.get("NIGHTSCHOOL_PICTURES")) and width == 1280:
        page.set_viewport_size({"width": width, "height": 1800})
        # A palette holds all of its colours at a third of the size.
        picture = Image.open(BytesIO(page.screenshot())).convert("RGB").quantize(dither=Image.Dither.NONE)
        picture.save(Path(pictures) / f"report-{scheme}.png", optimize=True)
    page.close()


def test_a_script_in_the_page_would_not_run(browser: Browser, html: str, tmp_path: Path) -> None:
    """The policy is the second wall: here the first, escaping, is left out on purpose."""
    path = tmp_path / "report.html"
    path.write_text(html.replace("<main>", "<main><script>document.title = 'gone'</script>"), "utf-8")
    page, trouble = opened(browser, path, 390, "light")
    assert page.title() == "Nightschool report"
    assert any("Content Security Policy" in message for message in trouble)
    page.close()

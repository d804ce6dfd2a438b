"""The page: one file, without a script, that asks no network for anything (docs/report.md)."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from learner.report import figures
from learner.report.estimates import Estimate, share_of
from learner.report.plots import Tick
from learner.report.slope import COMMAND

if TYPE_CHECKING:
    from learner.report.contents import Contents
    from learner.report.plots import Drawing

TEMPLATES = Path(__file__).parent / "templates"
# What a terminal or a browser would not show as it is: controls, and what turns the direction of writing.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def render(contents: Contents) -> str:
    """Return the page as HTML.

    All that was recorded is escaped by the template; the policy in the page's head forbids scripts and every
    request, and allows one style sheet, by its hash.
    """
    # Imported here: only this command needs it, and it takes 0.1 s.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "when": lambda at: datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M"),
        "percent": lambda share: "-" if share is None else f"{100 * share:.1f}\u00a0%",
        "estimate": estimate,
        "signed": lambda found: estimate(found, "{:+.3f}"),
        "visible": visible,
    }
    style = (TEMPLATES / "report.css").read_text("utf-8")
    return environment.get_template("report.html").render(
        contents=contents,
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        drawings=drawings(contents),
        switch_days=list(enumerate(figures.switch_days(contents).values(), start=1)),
        arm=figures.arm_in_words,
        accepted=figures.accepted,
        share_of=share_of,
        replay_command=COMMAND,
    )


def drawings(contents: Contents) -> dict[str, Drawing]:
    """Return what can be drawn, by name."""
    marks = [
        Tick(float(day), str(number)) for number, day in enumerate(figures.switch_days(contents), start=1)
    ]
    found = [figures.exams(contents.nights)]
    if contents.days:
        found += [
            figures.kept(contents.days, marks),
            figures.acceptance(contents.days, marks),
            figures.latency(contents.days),
        ]
    if contents.gate and contents.gate.calibration:
        found.append(figures.calibration(contents.gate.calibration.bins))
    if contents.slope:
        found += figures.slopes(contents.slope)
    return {drawing.name: drawing for drawing in found if drawing}


def estimate(found: Estimate | None, form: str = "{:.3f}") -> str:
    """Return the figure with its interval, where it has one."""
    if found is None:
        return "-"
    mean = form.format(found.mean)
    if found.low is None or found.high is None:
        return mean
    return f"{mean} ({form.format(found.low)} to {form.format(found.high)})"


def visible(text: str) -> str:
    """Return recorded text with what is not seen written out, so that it cannot pose as something else."""
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text.replace("\r\n", "\n"))

"""What of an episode may be remembered: nothing of private files, and nothing that holds a secret."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from learner.memory.place import telling
from learner.secret_scan import PLACEHOLDER

if TYPE_CHECKING:
    from learner.memory.episode import Episode
    from learner.privacy import PrivacyFilter


def cleaned(episode: Episode, privacy: PrivacyFilter) -> Episode | None:
    """Return the episode without secrets in its surroundings; None where its own text or file is private.

    A secret in what was offered leaves the episode without it: then there is nothing to refuse.
    """
    place = episode.place
    if not _is_allowed(place.uri, privacy):
        return None
    above, line, after = privacy.redact_parts(
        "".join(f"{each}\n" for each in place.above), place.before + episode.right, "\n" + place.after
    )
    if PLACEHOLDER in line or place.before + episode.right != line:
        return None
    before, offered = privacy.redact_parts(place.before, episode.offered)
    if PLACEHOLDER in before + offered:
        if not episode.right:
            return None
        episode = replace(episode, offered="", refused=False)
    lines = tuple(above.split("\n")[:-1])
    definition = privacy.redact(place.definition)
    # The words were taken from the lines as they stood.
    place = replace(
        place,
        above=lines,
        after=after.removeprefix("\n"),
        definition=definition,
        words=telling(place.before, definition, lines),
    )
    return replace(episode, place=place)


def _is_allowed(uri: str, privacy: PrivacyFilter) -> bool:
    parts = urlsplit(uri)
    return parts.scheme != "file" or privacy.allows(Path(unquote(parts.path)))

"""Finding secrets in text: detect-secrets' detectors, newer token formats, credentials by name, entropy."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Span = tuple[int, int]
"""Start and end of a secret, in code points."""

PLACEHOLDER = "<redacted>"
"""Stands where a secret stood. Text that contains it is not a target to learn from."""

# Prefixes that only tokens have. The tail may be short, so that a token still being typed is found too.
_TOKEN_PREFIXES = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"gh[pousr]_|github_pat_|gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-|"
    r"xox[abeoprs]-|xapp-|[rs]k_(?:live|test)_|whsec_|"
    r"sk-(?:ant|proj|svcacct|admin|or)-|gsk_|xai-|pplx-|nvapi-|"
    r"AIza|ya29\.|GOCSPX-|do[por]_v1_|shp(?:at|ss|ca|pa)_|SG\.|hv[sbr]\.|"
    r"ATATT3|lin_api_|dp\.pt\.|PMAK-|AGE-SECRET-KEY-1|sq0[a-z]{3}-|rubygems_|dckr_pat_|tskey-|"
    r"figd_|glsa_|NRAK-|sntry[su]_|pypi-AgE|AccountKey=|SharedAccessKey="
    r")[A-Za-z0-9_\-./+=]{6,}"
)
# Prefixes that identifiers have too: only a tail of the real length, or of the real alphabet, tells.
_TOKEN_FORMATS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{6,16}|"
    r"npm_[A-Za-z0-9]{36}|hf_[A-Za-z]{30,}|r8_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9]{20,}|ntn_[A-Za-z0-9]{30,}|"
    r"dapi[0-9a-f]{32}|key-[0-9a-f]{32}|(?:AC|SK)[0-9a-f]{32}|"
    r"[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,38}|"
    r"\d{8,10}:[A-Za-z0-9_-]{35}|"
    r"eyJ[\w-]{8,}(?:\.[\w=-]*){0,2}"
    r")"
)
_WEBHOOK = re.compile(
    r"(?:hooks\.slack\.com/(?:services|workflows)|discord(?:app)?\.com/api/webhooks)/([\w/-]{8,})"
)
_BEARER = re.compile(r"(?i)\b(?:bearer|basic)\s+((?=[\w+/=.~-]*\d)[\w+/=.~-]{12,})")
_URL_PASSWORD = re.compile(r"://[^\s:/@'\"]*:([^\s/@'\"{}$<>]+)@")

_PASSWORD_NAME = r"pass(?:word|wd|phrase|code)|(?<=[_-])pass\b|pwd|contrase[nñ]a"
_KEY_NAME = (
    r"(?:api|auth|access|account|service|db|database|priv|private|client|secret|master|encryption|signing)"
    r"[_-]?key|secret|token|credentials?|client_?id_?secret|connection_?string"
)
# name, perhaps closing brackets or a type, then an assignment, a call or a comparison, then a literal.
# An unclosed literal is one still being typed: all of it counts.
_NAMED_LITERAL = re.compile(
    rf"(?i)(?:(?P<password>{_PASSWORD_NAME})|{_KEY_NAME})[\w-]*[\"'\])]{{0,3}}"
    r"(?:\s*:\s*[A-Za-z_][\w\[\]., |?<>]{0,60}?)?\s*(?P<sign>=>|:=|[=!]==?|=|:|\(|,)\s*[rbfu@$]{0,2}"
    r"(?P<quote>[\"'`])(?P<value>(?:\\.|(?!(?P=quote)).)+)(?P<closed>(?P=quote))?"
)
_NAMED_WORD = re.compile(
    rf"(?i)^\W*(?:export\s+|set\s+|env\s+|ENV\s+)?[\w.-]*(?:(?:{_PASSWORD_NAME})|{_KEY_NAME})[\w.-]*"
    r"\s*(?:[=:]|\s)\s*(?P<value>(?=\S*\d)(?=\S*[A-Za-z])[^\s()\[\]{}<>,;'\"`]{6,})\s*(?:[#;].*)?$"
)
_SQL_PASSWORD = re.compile(r"(?i)identified\s+(?:with\s+\S+\s+)?by\s+(?:password\s+)?['\"]([^'\"]+)")
_OPTION = re.compile(rf"(?i)--?(?:{_PASSWORD_NAME}|{_KEY_NAME})[=\s]+['\"]?((?=\S*\d)[^\s'\"$<>]{{6,}})")
# What people write where the secret would be.
_STAND_IN = re.compile(
    r"(?i)^(?:[*x.…\-_]+|\$\{?.*|\{\{?.*|%.*|<.*>?|your[_-].*|changeme|example|none|null|true|false)$"
)

_WORD = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_HEX = re.compile(r"(?i)(?<![0-9a-z])(?:0x)?[0-9a-f]{32,}(?![0-9a-z])")
_UUID = re.compile(r"(?i)^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
# A line without any of these can hold none of the above. Looking for words is ten times as fast as a pattern.
_DIGIT = re.compile(r"\d")
_HINTS = ("pass", "pwd", "key", "secret", "token", "credential", "://", "identified", "hf_", "contrase",
          "connection")  # fmt: skip

_BLOCK_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|PuTTY-User-Key-File-\d")
_BLOCK_END = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|Private-MAC:.*")


def load_detectors() -> list[Any]:
    """Return detect-secrets' detectors of token formats, without its verification over the network.

    Its keyword, entropy and address detectors are left out: they report ordinary code (``password: str``)
    and look at whole files; the rules of this module stand in for them.
    """
    # Imported here: the library loads an HTTP client (for verifying, which is never called) in 0.1 s.
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.plugins.base import RegexBasedDetector

    left_out = {"IPPublicDetector", "BasicAuthDetector", "PrivateKeyDetector"}
    classes = get_mapping_from_secret_type_to_class().values()
    return [c() for c in classes if issubclass(c, RegexBasedDetector) and c.__name__ not in left_out]


def may_hold_key_block(text: str) -> bool:
    """Return False, quickly, for a text in which no key block begins or ends."""
    return "PRIVATE KEY" in text or "PuTTY-User-Key" in text or "Private-MAC" in text


def key_block_spans(text: str) -> Iterator[Span]:
    """Yield the spans of private key blocks; one without an end reaches to the end of the text."""
    position = 0
    while begin := _BLOCK_BEGIN.search(text, position):
        end = _BLOCK_END.search(text, begin.end())
        position = end.end() if end else len(text)
        yield begin.start(), position
    # A window that starts inside a block shows only its end.
    end = _BLOCK_END.search(text)
    if end and not _BLOCK_BEGIN.search(text, 0, end.start()):
        yield 0, end.end()


def line_spans(line: str, detectors: Iterable[Any]) -> tuple[Span, ...]:
    """Return the merged spans of secrets in one line, in order."""
    if not _is_worth_a_look(line):
        return ()
    spans = [*_format_spans(line), *_named_spans(line), *_entropy_spans(line)]
    for detector in detectors:
        for value in detector.analyze_string(line):
            # "\b" cannot be trusted around "-" and "+": look for the very text that was reported.
            if len(value) >= 8 and PLACEHOLDER not in value:
                spans += [(m.start(), m.end()) for m in re.finditer(re.escape(value), line)]
    return merge(spans)


def _is_worth_a_look(line: str) -> bool:
    if _DIGIT.search(line):
        return True
    folded = line.casefold()
    return any(hint in folded for hint in _HINTS)


def merge(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the spans in order, overlapping ones joined."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _format_spans(line: str) -> Iterator[Span]:
    for pattern in (_TOKEN_PREFIXES, _TOKEN_FORMATS):
        yield from (m.span() for m in pattern.finditer(line))
    for pattern in (_WEBHOOK, _BEARER, _SQL_PASSWORD, _OPTION, _URL_PASSWORD):
        yield from (m.span(1) for m in pattern.finditer(line) if not _STAND_IN.match(m[1]))


def _named_spans(line: str) -> Iterator[Span]:
    for match in _NAMED_LITERAL.finditer(line):
        value, closed = match["value"], match["closed"] is not None
        # After a comma it may be the next of a list of words.
        is_password = match["password"] and match["sign"] != ","
        enough = _is_password(value) if is_password else _is_key(value)
        if (enough or not closed) and not _STAND_IN.match(value):
            yield match.span("value")
    match = _NAMED_WORD.match(line)
    if match and not _STAND_IN.match(match["value"]):
        yield match.span("value")


def _is_password(value: str) -> bool:
    # Messages ("Enter your password") have spaces and no digit.
    return len(value) >= 4 and (" " not in value.strip() or any(c.isdigit() for c in value))


def _is_key(value: str) -> bool:
    return len(value) >= 8 and " " not in value and any(c.isdigit() for c in value)


def _entropy_spans(line: str) -> Iterator[Span]:
    for match in _WORD.finditer(line):
        if is_random(match[0]):
            yield match.span()
    yield from (match.span() for match in _HEX.finditer(line) if entropy(match[0]) > 3.0)


def is_random(word: str) -> bool:
    """Return whether a word of 20 or more characters looks drawn at random rather than written.

    Written words keep to one kind of character for long (``AbstractSessionFactory2``); random ones change
    kind (lower, upper, digit) at every second character, and repeat few characters (Shannon entropy).
    """
    if _UUID.match(word):
        return False
    kinds = [0 if c.islower() else 1 if c.isupper() else 2 for c in word if c.isalnum()]
    if len(kinds) < 16 or 2 not in kinds:
        return False
    changes = sum(a != b for a, b in pairwise(kinds)) / (len(kinds) - 1)
    expected = 0.42 if len(set(kinds)) == 3 else 0.3
    return changes >= expected and entropy(word) >= 3.6


def entropy(text: str) -> float:
    """Return the Shannon entropy of the text's characters, in bits per character."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)

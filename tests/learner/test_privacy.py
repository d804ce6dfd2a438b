"""No secret enters the ledger. Each is made at random in its real format: none is in this file."""

from __future__ import annotations

import base64
import json
import logging
import random
import string
from typing import TYPE_CHECKING

import pytest
from fact_builders import event, offered, session, settlement

from learner.facts import EventKind, KnownBy
from learner.privacy import PrivacyFilter
from learner.secret_scan import PLACEHOLDER
from models.engine import Candidate
from models.prompt import Chunk, Prompt

if TYPE_CHECKING:
    from pathlib import Path

    from learner.ledger import Ledger

LOWER = string.ascii_lowercase + string.digits
MIXED = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + string.digits
HEX = "0123456789abcdef"


class Secrets:
    """Secrets of twenty kinds, drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def draw(self, alphabet: str, length: int) -> str:
        # At least one digit: a draw without one is not what issuers hand out.
        word = "".join(self._random.choices(alphabet, k=length - 1))
        place = self._random.randrange(length)
        return word[:place] + self._random.choice(string.digits) + word[place:]

    def jwt(self) -> str:
        parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": self.draw(HEX, 12), "iat": 1})
        encoded = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts]
        return ".".join([*encoded, self.draw(MIXED + "-_", 43)])

    def key_block(self, kind: str) -> str:
        lines = [self.draw(MIXED + "+/", 64) for _ in range(6)]
        dashes = "-" * 5
        return "\n".join([f"{dashes}BEGIN {kind}{dashes}", *lines, f"{dashes}END {kind}{dashes}"])

    def all(self) -> dict[str, str]:
        draw = self.draw
        return {
            "aws access key": "AK" + "IA" + draw(UPPER, 16),
            "aws secret key": draw(MIXED + "/+", 40),
            "github token": "gh" + "p_" + draw(MIXED, 36),
            "github fine-grained": "github" + "_pat_" + draw(MIXED, 22) + "_" + draw(MIXED, 59),
            "gitlab token": "gl" + "pat-" + draw(MIXED, 20),
            "slack bot token": "xo"
            + f"xb-{draw(string.digits, 12)}-{draw(string.digits, 12)}-{draw(MIXED, 24)}",
            "stripe key": "sk" + "_live_" + draw(MIXED, 24),
            "sendgrid key": "S" + f"G.{draw(MIXED, 22)}.{draw(MIXED, 43)}",
            "twilio key": "S" + "K" + draw(HEX, 32),
            "npm token": "np" + "m_" + draw(MIXED, 36),
            "pypi token": "py" + "pi-AgEIcHlwaS5vcmc" + draw(MIXED + "-_", 80),
            "google api key": "AI" + "za" + draw(MIXED + "-_", 35),
            "openai key": "sk" + "-proj-" + draw(MIXED, 48),
            "anthropic key": "sk" + "-ant-api03-" + draw(MIXED + "-_", 93),
            "jwt": self.jwt(),
            "rsa private key": self.key_block("RSA PRIVATE KEY"),
            "openssh private key": self.key_block("OPENSSH PRIVATE KEY"),
            "azure storage key": draw(MIXED + "+/", 86) + "==",
            "telegram token": draw(string.digits, 10) + ":" + draw(MIXED + "-_", 35),
            "hex secret": draw(HEX, 40),
            "database password": draw(MIXED, 16),
            "plain password": draw(LOWER, 10),
        }


WRITTEN = {
    "database password": [
        'url = "postgres://app:{}@db.example/app"',
        "DATABASE_URL=mysql://root:{}@localhost/x",
    ],
    "plain password": [
        'password = "{}"',
        "DB_PASSWORD={}",
        "login(user, password='{}')",
        '{{"passwd": "{}"}}',
    ],
    "azure storage key": ["AccountName=x;AccountKey={};EndpointSuffix=core", 'ACCOUNT_KEY = "{}"'],
}
"""Where a secret without a shape of its own is found; the others are found anywhere."""
ANYWHERE = ['key = "{}"', "  export VALUE={}", "# old one: {}", "call('{}', retries=3)", "value: {}"]


def planted(seeds: range) -> list[tuple[str, str, str]]:
    """(kind, secret, the text that holds it) for every kind and seed."""
    found = []
    for seed in seeds:
        for kind, secret in Secrets(seed).all().items():
            frames = WRITTEN.get(kind, ANYWHERE)
            found.append((kind, secret, frames[seed % len(frames)].format(secret)))
    return found


def test_no_byte_of_three_hundred_planted_secrets_is_in_the_database_its_log_or_the_server_log(
    ledger: Ledger, ledger_path: Path, tmp_path: Path
) -> None:
    """Each secret is planted in one field of a fact: above, at or below the cursor, in another file's chunk,
    in an offer, in a candidate, and in what a developer typed instead."""
    log = logging.FileHandler(tmp_path / "server.log")
    logging.getLogger("learner").addHandler(log)
    ledger.record(session())
    secrets = planted(range(14))
    assert len(secrets) >= 300
    for number, (_, secret, text) in enumerate(secrets):
        offer_id = f"o{number}"
        cut = text.index(secret)
        before, rest = text[:cut], text[cut:]
        half = len(text) // 2
        ledger.record(
            [
                offered(offer_id, prompt=Prompt(f"import os\n{text}\nx = ", "\nprint(x)\n")),
                offered(offer_id, prompt=Prompt("import os\n", f"\n{text}\n")),
                offered(offer_id, prompt=Prompt(f"a = 1\n{text[:half]}", f"{text[half:]}\n")),
                offered(offer_id, prompt=Prompt("", "\n", chunks=(Chunk("b.py", f"# b\n{text}\n"),))),
                offered(offer_id, prompt=Prompt(before, "\n"), text=rest),
                offered(offer_id, prompt=Prompt(before, ""), candidates=(Candidate(rest, (-1.0,), "end"),)),
                offered(offer_id, prompt=Prompt(before, "\n")),
            ][number % 7]
        )
        ledger.record(event(EventKind.ACCEPTED, KnownBy.EXPLICIT, offer_id))
        ledger.record(settlement(rest if number % 7 in (4, 5, 6) else "x", offer_id=offer_id))
    assert ledger.flush(60)
    log.flush()
    stored = {
        file.name: file.read_bytes() for file in [*ledger_path.parent.iterdir(), tmp_path / "server.log"]
    }
    stored["unpacked"] = unpacked(ledger_path)
    leaked = [
        (kind, name)
        for kind, secret, _ in secrets
        for name, content in stored.items()
        for line in secret.split("\n")
        if "-----" not in line and line.encode() in content
    ]
    logging.getLogger("learner").removeHandler(log)
    log.close()
    assert leaked == []


def unpacked(ledger_path: Path) -> bytes:
    """The contexts as text: compressed, a secret would not be found."""
    import sqlite3
    import zlib

    connection = sqlite3.connect(ledger_path)
    bodies = [zlib.decompress(body) for (body,) in connection.execute("SELECT body FROM pieces")]
    lines = [f"{a}{b}".encode() for a, b in connection.execute("SELECT line_before, line_after FROM offers")]
    connection.close()
    assert any(PLACEHOLDER.encode() in body for body in bodies)
    return b"\n".join([*bodies, *lines])


@pytest.fixture(scope="module")
def privacy() -> PrivacyFilter:
    return PrivacyFilter(())


def test_every_planted_secret_is_seen_and_stays_redacted(privacy: PrivacyFilter) -> None:
    for kind, secret, text in planted(range(100, 110)):
        redacted = privacy.redact(text)
        assert secret not in redacted and privacy.has_secret(text), kind
        assert redacted.count("\n") == text.count("\n"), kind
        assert privacy.redact(redacted) == redacted, kind


@pytest.mark.parametrize(
    "line",
    [
        "password: str",
        "def login(user: str, password: str | None = None) -> Token:",
        'label = "Enter your password"',
        "token = get_token(self.session)",
        'raise ValueError("secret must not be empty")',
        'self.key = config["api_key"]',
        "class Python2TracebackLexer(RegexLexer):",
        "from learner.secret_scan import PLACEHOLDER, key_block_spans",
        'uuid = "123e4567-e89b-12d3-a456-426614174000"',
        'KEYWORDS = ["break", "pass", "return", "pwd", "while"]',
        'password = os.environ["DB_PASSWORD"]',
        "https://example.org/a/b?page=2&sort=name",
        'password = "${DB_PASSWORD}"',
    ],
)
def test_ordinary_code_is_left_alone(privacy: PrivacyFilter, line: str) -> None:
    assert privacy.redact(line) == line
    assert not privacy.has_secret(line)


def test_a_secret_that_is_still_being_typed_is_found(privacy: PrivacyFilter) -> None:
    token = "gh" + "p_" + Secrets(1).draw(MIXED, 36)
    assert privacy.redact(f"x = {token[:12]}") == f"x = {PLACEHOLDER}"
    assert privacy.redact('password = "hun') == f'password = "{PLACEHOLDER}'


def test_a_window_that_begins_within_a_key_block_shows_none_of_it(privacy: PrivacyFilter) -> None:
    block = Secrets(2).key_block("PRIVATE KEY")
    tail = block[block.index("\n", 100) :] + "\nnext line"
    assert privacy.redact(tail) == PLACEHOLDER + "\n" * (tail.count("\n") - 1) + "\nnext line"


def test_a_secret_cut_by_the_cursor_is_found_in_both_halves(privacy: PrivacyFilter) -> None:
    token = "gl" + "pat-" + Secrets(3).draw(MIXED, 20)
    assert privacy.redact_parts(f"a = {token[:9]}", f"{token[9:]}\n") == (
        f"a = {PLACEHOLDER}",
        f"{PLACEHOLDER}\n",
    )


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("src/main.py", True),
        ("src/.env", False),
        (".env.production", False),
        ("deploy/server.PEM", False),
        ("id_ed25519", False),
        ("config/secrets.yaml", False),
        (".npmrc", False),
        ("sub/_netrc", False),
        ("build/out.py", False),
        ("build/kept.py", False),
        ("src/generated.py", False),
        ("src/kept.gen.py", True),
        ("src/a.gen.py", False),
        ("notes/private.md", False),
    ],
)
def test_private_and_ignored_files_are_not_read(tmp_path: Path, path: str, allowed: bool) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "build").mkdir()
    (tmp_path / ".gitignore").write_text("build/\n!build/kept.py\n*.gen.py\n")
    (tmp_path / "src" / ".gitignore").write_text("/generated.py\n!kept.gen.py\n")
    assert PrivacyFilter([tmp_path], ["notes/"]).allows(tmp_path / path) is allowed


def test_a_changed_ignore_file_counts_at_once(tmp_path: Path) -> None:
    privacy = PrivacyFilter([tmp_path])
    assert privacy.allows(tmp_path / "a.py")
    (tmp_path / ".gitignore").write_text("a.py\n")
    assert not privacy.allows(tmp_path / "a.py")


def test_a_link_to_a_private_file_is_private(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("")
    (tmp_path / "notes.txt").symlink_to(tmp_path / ".env")
    assert not PrivacyFilter([tmp_path]).allows(tmp_path / "notes.txt")


def test_offers_in_private_files_are_not_recorded(ledger: Ledger, ledger_path: Path) -> None:
    ledger.record(offered("private", uri="file:///project/.env", text="zebra"))
    ledger.record(event(EventKind.TYPED, offer_id="private"))
    assert ledger.flush()
    assert b"zebra" not in b"".join(file.read_bytes() for file in ledger_path.parent.iterdir())

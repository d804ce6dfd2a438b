"""The primer's corpus: which projects and files may be used, and which examples are drawn of them."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import re
import tarfile
import zipfile
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from learner.job import Job, JobFiles, TrainingOptions, TrainingResult
from learner.night.primer.examples import draw_examples, statistics
from learner.night.primer.fetch import Fetcher, code_archive
from learner.night.primer.files import Code, code_files
from learner.night.primer.licences import Terms, stated_terms
from learner.night.primer.projects import (
    Part,
    PrimerError,
    Project,
    Registry,
    is_permissive,
    read_projects,
    to_json,
)
from learner.night.primer.shipping import ship
from learner.privacy import PrivacyFilter
from learner.registry import Registry as AdapterRegistry
from models import primers
from models.engine import Stop
from models.home import Home

if TYPE_CHECKING:
    from pathlib import Path

EVALUATED = {"mistral-vibe", "qwenpaw", "nanobot-ai", "hermes-agent", "openjarvis", "ouroboros-ai"}
WHEEL = Project("demo", "1.0", Registry.PYPI, "python", "MIT", Part.TRAINING, "")
MODULE = '''"""Loans of a library."""


class Loan:
    def __init__(self, book, reader):
        self.book = book
        self.reader = reader

    def is_overdue(self, today):
        if self.returned:
            return False
        return today > self.due

    def extend(self, days):
        if self.is_overdue(self.today):
            raise ValueError("too late")
        self.due += days
        self.extensions += 1
'''


def wheel(folder: Path, files: dict[str, str], metadata: str = "License-Expression: MIT\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "demo-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("demo-1.0.dist-info/METADATA", metadata)
        for name, text in files.items():
            archive.writestr(name, text)
    return folder


def tarball(path: Path, files: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))


# The list


def test_the_list_has_what_the_primer_is_said_to_be_made_of():
    projects = read_projects()

    training = [project for project in projects if project.part is Part.TRAINING]
    assert len(training) >= 100
    assert len({project.language for project in training}) >= 8
    validated = {project.language for project in projects if project.part is Part.VALIDATION}
    assert validated == {project.language for project in training}


def test_no_project_is_used_that_anything_is_measured_on():
    """The benchmarks take their files from what is installed, and from a few projects by name."""
    installed = {re.sub(r"[-_.]+", "-", found.name).lower() for found in importlib.metadata.distributions()}
    names = {project.name.lower() for project in read_projects()}

    assert not names & (installed | EVALUATED)


def test_each_project_is_pinned_by_checksum():
    assert all(re.fullmatch("[0-9a-f]{64}", project.sha256) for project in read_projects())


def test_the_list_is_written_as_it_is_read(tmp_path):
    listed = tmp_path / "projects.json"
    listed.write_text(to_json(read_projects()))

    assert read_projects(listed) == read_projects()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"licence": "GPL-3+"}, "has the licence 'GPL-3\\+'; take it out"),
        ({"registry": "ftp"}, "is no list of projects"),
    ],
)
def test_a_list_that_may_not_be_used_is_refused(tmp_path, change, message):
    listed = tmp_path / "projects.json"
    row = json.loads(to_json([WHEEL]))[0]
    listed.write_text(json.dumps([row | change]))

    with pytest.raises(PrimerError, match=message):
        read_projects(listed)


@pytest.mark.parametrize(
    "licence",
    ["MIT", "Expat", "BSD-3-Clause", "Apache-2.0", "ISC", "PSF-2.0", "MIT or Apache-2.0", "GPL-2 or MIT",
     "Apache-2.0 AND MIT", "Apache Software License", "Apache-2.0 with LLVM-exception",
     "BSD-3-clause~Google"],
)  # fmt: skip
def test_permissive_licences_are_known(licence):
    assert is_permissive(licence)


@pytest.mark.parametrize(
    "licence",
    ["", "none", "GPL-3", "LGPL-2.1+", "MIT and GPL-2", "MPL-2.0", "Apache-1.1", "AGPL-3.0-or-later",
     "GPL-2+ with Autoconf exception", "Commons-Clause MIT", "SSPL", "proprietary"],
)  # fmt: skip
def test_other_licences_are_not_taken_for_permissive(licence):
    assert not is_permissive(licence)


# Licences as packages state them


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ("License-Expression: Apache-2.0\nLicense: no\n", "Apache-2.0"),
        ("License: MIT\nClassifier: License :: OSI Approved :: BSD License\n", "BSD License"),
        ("License: MIT\n", "MIT"),
        ("Name: demo\n", ""),
    ],
)
def test_a_wheel_s_licence_is_read(tmp_path, metadata, licence):
    assert stated_terms(Registry.PYPI, wheel(tmp_path, {}, metadata)) == Terms(licence)


def test_a_package_of_npm_s_licence_is_its_own_and_not_a_bundled_one_s(tmp_path):
    bundled, own = "package/node_modules/x/package.json", "package/package.json"
    tarball(tmp_path / "demo-1.0.tgz", {bundled: '{"license": "GPL-3.0"}', own: '{"license": "ISC"}'})

    assert stated_terms(Registry.NPM, tmp_path) == Terms("ISC")


def test_files_of_a_debian_source_under_another_licence_are_left_out(tmp_path):
    copyright_file = (
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
        "Files: *\nCopyright: A\nLicense: Expat\n Permission is granted\n\n"
        "Files: debian/*\n  src/hash.c\nCopyright: B\nLicense: GPL-2+\n\n"
        "License: GPL-2+\n text\n"
    )
    tarball(tmp_path / "demo_1-1.debian.tar.gz", {"debian/copyright": copyright_file})
    tarball(tmp_path / "demo_1.orig.tar.gz", {"demo-1/src/hash.c": "x"})

    terms = stated_terms(Registry.DEBIAN_SOURCE, tmp_path)

    assert terms.licence == "Expat"
    assert not terms.cover("demo-1/src/hash.c")
    assert terms.cover("demo-1/src/list.c")


def test_a_project_whose_own_metadata_say_otherwise_is_refused(tmp_path):
    folder = wheel(tmp_path, {"demo/loans.py": MODULE}, "License: GPLv3\n")

    with pytest.raises(PrimerError, match="says that its licence is 'GPLv3', not 'MIT'"):
        list(code_files(WHEEL, folder))


def test_another_file_than_the_listed_one_is_refused(tmp_path):
    folder = wheel(tmp_path / "pypi-demo-1.0", {})
    sha256 = hashlib.sha256(code_archive(folder).read_bytes()).hexdigest()

    assert Fetcher(tmp_path).fetch(replace(WHEEL, sha256=sha256)) == folder
    with pytest.raises(PrimerError, match=f"has sha256 {sha256}, but none is listed"):
        Fetcher(tmp_path).fetch(WHEEL)


# Files and examples


def test_only_handwritten_code_of_the_project_s_language_is_taken(tmp_path):
    code = 2 * MODULE
    passed_over = {
        "demo/_vendor/six.py": code,
        "demo/tests/fixtures/a.py": code,
        "demo/build/lib.py": code,
        "demo/tables_pb2.py": "# x\n" + code,
        "demo/parser.py": "# @generated by a tool\n" + code,
        "demo/data.py": "x = [\n" + "    1,\n" * 40_000 + "]\n",
        "demo/one.py": "x = " + "1 + " * 300 + "1\n" * 9,
        "demo/short.py": "x = 1\n",
        "demo/app.js": code,
    }
    folder = wheel(tmp_path, {"demo/loans.py": code, **passed_over})
    with zipfile.ZipFile(code_archive(folder), "a") as archive:
        archive.writestr("demo/bytes.py", code.encode() + b"# \xff\xfe")

    assert [code.path for code in code_files(WHEEL, folder)] == ["demo/loans.py"]


def test_a_script_without_an_ending_is_known_by_its_first_line(tmp_path):
    project = replace(WHEEL, registry=Registry.NPM, language="shellscript")
    script = "#!/usr/bin/env bash\n" + "echo hello there\n" * 50
    scripts = {"package/bin/run": script, "package/bin/prog": script[3:]}
    tarball(tmp_path / "demo-1.0.tgz", {"package/package.json": '{"license": "MIT"}', **scripts})

    assert [code.path for code in code_files(project, tmp_path)] == ["package/bin/run.sh"]


def corpus() -> tuple[list[Project], dict[str, list[Code]]]:
    """Return three projects in two languages: of one language two, and a hundred times as many files."""
    lines = MODULE.splitlines(keepends=True)
    go = [line.replace("def ", "func ").replace(":\n", " {\n") for line in lines]
    projects = [
        replace(WHEEL, name="large"),
        replace(WHEEL, name="small"),
        replace(WHEEL, name="other", language="go"),
    ]
    return projects, {
        "large": [Code(f"a/{number}.py", list(lines)) for number in range(100)],
        "small": [Code(f"b/{number}.py", list(lines)) for number in range(10)],
        "other": [Code(f"c/{number}.go", go) for number in range(20)],
    }


def draw(seed: int, count: int = 40):
    projects, codes = corpus()
    return draw_examples(projects, lambda project: codes[project.name], count, seed, PrivacyFilter([]))


def test_languages_and_projects_have_equal_shares():
    projects, _ = corpus()
    found = draw(seed=1)

    assert statistics(found, projects)["languages"] == {"go": 20, "python": 20}
    assert Counter(example.file.split(":")[1] for example in found) == {"large": 10, "small": 10, "other": 20}


def test_the_same_seed_draws_the_same_and_another_seed_does_not():
    assert draw(seed=1) == draw(seed=1)
    assert draw(seed=1) != draw(seed=2)


def test_lines_and_blocks_are_asked_for_as_they_are_served():
    found = draw(seed=1, count=100)

    assert {example.stop for example in found} == {Stop.LINE, Stop.BLOCK}
    assert all("\n" not in example.target for example in found if example.stop is Stop.LINE)
    assert any("\n" in example.target for example in found)
    for example in found:
        text = "".join(example.prompt.prefix + example.target + example.prompt.suffix)
        assert not example.ends or text.replace("\n", "") in MODULE_TEXTS


MODULE_TEXTS = "".join(MODULE.split("\n")) + "".join(
    MODULE.replace("def ", "func ").replace(":\n", " {\n").split("\n")
)


def test_a_secret_in_a_file_is_no_target():
    secret = 'API_KEY = "AKIA' + "IOSFODNN7EXAMPLQ" + '"\n'
    projects, codes = corpus()
    codes["small"] = [Code(f"s/{n}.py", [secret, *MODULE.splitlines(keepends=True)]) for n in range(30)]

    found = draw_examples(projects[1:2], lambda project: codes[project.name], 60, 1, PrivacyFilter([]))

    assert len(found) == 60
    assert not any("EXAMPLQ" in f"{example.target}{example.prompt}" for example in found)


# What ships


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Job, JobFiles, TrainingResult]:
    """A job whose time ran out: of 40 chosen examples the first 24 were seen."""
    files = JobFiles(tmp_path / "training")
    files.root.mkdir()
    files.adapter.write_bytes(b"GGUF" * 250)
    job = Job(tmp_path / "base.gguf", "b" * 64, "primer", options=TrainingOptions(batch=8))
    return job, files, TrainingResult(40, {"no time": 60}, 0.6, 3, 0, 1.04, 0.884, 4500.0, 6000, "bfloat16")


def test_what_ships_has_a_record_of_its_making(trained, tmp_path, monkeypatch):
    job, files, result = trained
    drawn = {"training": {"examples": 100}}
    said = ship(job, files, result, drawn, "python -m learner.night.primer train", tmp_path)

    path = tmp_path / f"{'b' * 16}.gguf"
    assert said == f"{path} (0.0 MB): 24 examples, loss 0.884"
    record = json.loads(path.with_suffix(".json").read_text())
    assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (record["examples"], record["bytes"], record["base"]) == (24, 1000, "b" * 64)
    assert record["drawn"] == drawn
    monkeypatch.setattr(primers, "PRIMERS", tmp_path)
    assert AdapterRegistry(Home(tmp_path / "home")).find("primer", "b" * 64).report == record


def test_too_large_a_primer_does_not_ship(trained, tmp_path):
    job, files, result = trained
    with files.adapter.open("r+b") as file:
        file.truncate(12_000_001)
    with pytest.raises(PrimerError, match=r"has 12,000,001 bytes.*lower --rank or --layers"):
        ship(job, files, result, {}, "", tmp_path / "shipped")
    assert not (tmp_path / "shipped").exists()

"""Imports and definitions, as far as they can be seen without parsing."""

from __future__ import annotations

import pytest

from learner.retrieval.definitions import LONGEST, Import, definitions, extent, imports, leads_to, used


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("python", "from a.b import c as d, e\n", [Import("d", "c", "a/b"), Import("e", "e", "a/b")]),
        (
            "python",
            "from .b import (\n    c,  # why\n    d,\n)\n",
            [Import("c", "c", "b"), Import("d", "d", "b")],
        ),
        ("python", "import a.b as c, d\n", [Import("c", "", "a/b"), Import("d", "", "d")]),
        (
            "typescript",
            "import { A, type B as C } from '../x/y.js';",
            [Import("A", "A", "x/y"), Import("C", "B", "x/y")],
        ),
        ("typescript", "import D, { E } from './x'", [Import("D", "D", "x"), Import("E", "E", "x")]),
        ("javascript", "import * as ns from './x'", [Import("ns", "", "x")]),
        (
            "javascript",
            "const { a, b: c } = require('./lib/x')",
            [Import("a", "a", "lib/x"), Import("c", "b", "lib/x")],
        ),
        ("rust", "use crate::a::{B, C};", [Import("B", "B", "a"), Import("C", "C", "a")]),
        (
            "go",
            'import (\n\t"fmt"\n\tstore "example.com/shop/storage"\n)',
            [
                Import("fmt", "", "fmt"),
                Import("store", "", "example.com/shop/storage"),
            ],
        ),
        ("java", "import com.shop.Order;\n", [Import("Order", "Order", "com/shop")]),
    ],
)
def test_imports_are_seen(language: str, text: str, expected: list[Import]) -> None:
    assert imports(text, language) == expected


def test_of_the_imports_those_used_last_come_first() -> None:
    found = [Import("a", "a", "m"), Import("b", "b", "m"), Import("ns", "", "n")]
    assert used(found, "b = a(1)\nns.make(x)\nns.call()") == [
        Import("ns", "call", "n"),
        Import("ns", "make", "n"),
        Import("a", "a", "m"),
        Import("b", "b", "m"),
    ]


@pytest.mark.parametrize(
    ("module", "path", "parts"),
    [
        ("shop/orders", "src/shop/orders.py", 2),
        ("shop/orders", "shop/orders/__init__.py", 2),
        ("shop/orders", "shop/orders/order.py", 2),
        ("orders", "shop/orders.py", 1),
        ("example.com/shop/storage", "storage/file.go", 1),
        ("x", "x/index.ts", 1),
        ("shop/orders", "shop/other.py", 0),
    ],
)
def test_a_module_leads_to_its_files(module: str, path: str, parts: int) -> None:
    assert leads_to(module, path) == parts


def test_definitions_of_many_languages_are_seen() -> None:
    lines = [
        "async def fetch(a):",
        "class Order(Base):",
        "    def total(self):",
        "LIMIT: int = 3",
        "export default function render() {",
        "export const load = async () => {",
        "pub(crate) fn parse<'a>(x: &'a str) {",
        "func (s *Server) Serve() {",
        "public final class Shop {",
        "    x = 1",
        "a == b",
        "f(b=1)",
    ]
    expected = ["fetch", "Order", "total", "LIMIT", "render", "load", "parse", "Serve", "Shop"]
    assert [name for name, _ in definitions("\n".join(lines))] == expected


def test_a_definition_ends_with_its_indentation_and_its_closing_bracket() -> None:
    assert extent(["def f(", "    a,", "):", "    pass", "", "x = 1"], 0) == 4
    assert extent(["function f() {", "  a()", "}", "b()"], 0) == 3
    assert extent(["X = 1", "Y = 2"], 0) == 1
    assert extent(["class A:", *["    x = 1"] * 100], 0) == LONGEST

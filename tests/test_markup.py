"""Data never becomes HTML, mathematics, a spreadsheet's formula or a terminal's order."""

from __future__ import annotations

import csv
import html
import io
import re
import unicodedata
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.markup import cell, count, esc, plain, portable, shorten, stem, uncell

law = settings(deadline=None, max_examples=200)

ANY = st.text(
    st.sampled_from("<>&\"'$`=+-@\t\r\n\x1b\u202e\ud800 a'") | st.characters(exclude_categories=[])
)
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


class Reader(HTMLParser):
    """Collects what a browser would: tags, attribute values and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.values: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.values += [value for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def is_safe(text: str) -> bool:
    return not any(
        (unicodedata.category(char) in ("Cc", "Cs") and char not in "\t\n") or char in BIDI
        for char in text
    )


@law
@given(ANY)
def test_escaped_text_is_only_text(text: str) -> None:
    """S9: escaped text, between tags or in either kind of attribute, is text that says the same and
    nothing else.
    """
    shown = esc(text)
    assert not re.search("[<>\"'$`]", shown)
    assert is_safe(shown)
    shown.encode()
    reader = Reader()
    reader.feed(f"<b title=\"{shown}\" lang='{shown}'>{shown}</b>")
    reader.close()
    expected = "".join(char if is_safe(char) else "\ufffd" for char in text.replace("\r\n", "\n"))
    assert reader.tags == ["b"]
    assert reader.text == expected
    assert reader.values == [expected, expected]


@pytest.mark.parametrize(
    "bad",
    [
        "<img src=x onerror=alert(1)>",
        "</script><script>alert(1)</script>",
        '" onmouseover="alert(1)',
        "' onmouseover='alert(1)",
        "$\\href{javascript:alert(1)}{x}$",
        "<a href=javascript:alert(1)>x</a>",
        "`alert(1)`",
        "<!-- -->",
        "&lt;img&gt;",
        "\x1b]8;;http://evil\x1b\\x",
        "\u202egnp.exe",
    ],
)
def test_stored_scripts(bad: str) -> None:
    """S9: the known forms of stored scripts show as their own source, `$` as an entity."""
    assert not re.search(r"[<>$`\x1b\u202e]", esc(bad))
    assert html.unescape(esc(bad)) == "".join(char if is_safe(char) else "\ufffd" for char in bad)


@pytest.mark.parametrize("value", [None, 3, 0.5, ["<b>"], {"a": "$"}])
def test_anything_has_a_text(value: object) -> None:
    """What is not text is shown as its own text, escaped."""
    assert html.unescape(esc(value)) == str(value)
    assert plain(value) == str(value)


@law
@given(ANY)
def test_plain_text_orders_a_terminal_nothing(text: str) -> None:
    """S22: no control character but tab and line feed, no bidirectional mark, no lone surrogate;
    all else stays; twice is once.
    """
    shown = plain(text)
    assert is_safe(shown)
    shown.encode()
    assert plain(shown) == shown
    assert shown == "".join(
        "\ufffd" if unicodedata.category(char) == "Cs" else char
        for char in text
        if is_safe(char) or "\ud800" <= char <= "\udfff"
    )


@pytest.mark.parametrize(
    "bad", ["\x1b[31mred\x1b[0m", "\x9b31m", "\x1b]0;title\x07", "a\rb", "a\x08b", "\x7f", *BIDI]
)
def test_terminal_orders(bad: str) -> None:
    """S22: escape sequences lose what makes them one, carriage returns and overrides are gone."""
    assert is_safe(plain(bad))
    assert "\r" not in plain(bad)
    assert is_safe(shorten(bad, 80))


def test_every_character_is_shown_as_beside_an_order() -> None:
    """A text without orders is not translated: none of its characters would have been changed."""
    for code in range(0x110000):
        text = f"a{chr(code)}b {chr(code)}"
        assert plain(text) == plain(f"{text}\x1b"), hex(code)
        assert shorten(text, 9) == shorten(f"{text}\x1b", 9), hex(code)


@law
@given(ANY, st.integers(-3, 30))
def test_shortened_text_fits(text: str, width: int) -> None:
    """At most `width` characters on one line, safe for a terminal; `…` exactly where something was
    left out.
    """
    whole = " ".join(plain(text).split())
    shown = shorten(text, width)
    assert len(shown) <= max(width, 0)
    assert "\n" not in shown
    assert is_safe(shown)
    if len(whole) <= width:
        assert shown == whole
    elif width > 0:
        assert shown == whole[: width - 1] + "…"


@law
@given(ANY | st.from_regex(r"'*[=+@\-]?.*", fullmatch=True))
def test_a_cell_comes_back(text: str) -> None:
    """S10: `uncell` undoes `cell` exactly, for any text, apostrophes included."""
    assert uncell(cell(text)) == text


FORMULAS = [
    "=HYPERLINK(1)",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1",
    "＋1",
    "－1",
    "＠x",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas(text: str) -> None:
    """S10: what a sheet would compute gets an apostrophe, also through a file; what would not is
    left alone.
    """
    assert cell(text) == "'" + text
    assert cell("'" + text) == "''" + text
    file = io.StringIO(newline="")
    csv.writer(file).writerow([cell(text), cell("plain"), cell("'tis"), cell("a=b")])
    row = next(csv.reader(io.StringIO(file.getvalue(), newline="")))
    assert row[0][0] == "'"
    assert row[1:] == ["plain", "'tis", "a=b"]
    assert [uncell(value) for value in row] == [text, "plain", "'tis", "a=b"]


@law
@given(ANY)
def test_no_cell_computes(text: str) -> None:
    """S10: no exported cell begins with a sign of a formula."""
    assert not cell(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("study 1, v2", "study 1, v2"),
        ("a/b\\c:d", "a-b-c-d"),
        ("a\0b\nc\u202e", "ab c"),
        ("..", "unnamed"),
        (" .hidden. ", "hidden"),
        ("con", "~con"),
        ("NUL.v1", "~NUL.v1"),
        ("console", "console"),
        ("é" * 200, "é" * 60),
        ("\ud800", "\ufffd"),
    ],
)
def test_a_text_becomes_the_name_of_a_file_on_every_system(text: str, kept: str) -> None:
    """One part of a path, short, and no device of Windows."""
    assert stem(text) == kept


def test_names_that_are_devices_stay_apart_from_all_others() -> None:
    """`~` begins no prompt's name."""
    assert portable("con.prod.json") == "~con.prod.json"
    assert portable("team~con.html") == "team~con.html"


def test_one_of_a_thing_is_singular() -> None:
    assert [count(n, "row") for n in (0, 1, 2, 1_000)] == [
        "0 rows",
        "1 row",
        "2 rows",
        "1,000 rows",
    ]
    assert [count(n, "study", "studies") for n in (1, 2)] == ["1 study", "2 studies"]

"""The diff of two versions loses no character, reads short, and shows data as data."""

from __future__ import annotations

import html
import itertools
import random
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from promptops.version import PromptVersion
from promptops.version.diff import VersionDiff, diff, words
from tests.quick import quick

law = settings(deadline=None, max_examples=150)

TEXT = st.text(st.sampled_from("ab .\n") | st.characters(), max_size=40)


def sides(pieces: list[tuple[str, str]]) -> tuple[str, str]:
    old = "".join(text for tag, text in pieces if tag != "added")
    return old, "".join(text for tag, text in pieces if tag != "removed")


@law
@given(TEXT, TEXT)
def test_joined_pieces_are_both_texts(old: str, new: str) -> None:
    """Same and removed pieces joined are the old text, same and added the new one; no piece is
    empty, no two alike in a row.
    """
    pieces = words(old, new)
    assert sides(pieces) == (old, new)
    assert all(text for _, text in pieces)
    assert all(a[0] != b[0] for a, b in itertools.pairwise(pieces))


@law
@given(TEXT)
def test_equal_texts_have_no_change(text: str) -> None:
    """A text beside itself is one same piece."""
    assert words(text, text) == ([("same", text)] if text else [])


@pytest.mark.parametrize(
    ("old", "new", "pieces"),
    [
        ("be brief", "be very brief", [("same", "be "), ("added", "very "), ("same", "brief")]),
        ("a, b", "a; b", [("same", "a"), ("removed", ","), ("added", ";"), ("same", " b")]),
        ("", "a", [("added", "a")]),
        ("a", "", [("removed", "a")]),
    ],
)
def test_words(old: str, new: str, pieces: list[tuple[str, str]]) -> None:
    """Changes are whole words and single signs."""
    assert words(old, new) == pieces


def essay(chance: random.Random, count: int, dots: bool) -> list[str]:
    return [
        f"w{chance.randrange(2000)}{'.' if dots and chance.random() < 0.1 else ''}"
        for _ in range(count)
    ]


@pytest.mark.parametrize("dots", [True, False])
@pytest.mark.parametrize("count", [1_500, 4_000, 15_000])
def test_long_texts_take_bounded_time(count: int, dots: bool) -> None:
    """Texts of 15,000 words, edited or shuffled, are compared within seconds (once: 77 s), and
    still whole.
    """
    chance = random.Random(7)
    old = essay(chance, count, dots)
    edited = [word if chance.random() > 0.05 else "new" for word in old]
    shuffled = sorted(old, key=lambda _: chance.random())
    with quick(4):
        for new in (edited, shuffled):
            assert sides(words(" ".join(old), " ".join(new))) == (" ".join(old), " ".join(new))


def test_one_word_in_a_long_text_is_found() -> None:
    """One changed word in 25,000 reads as one changed word."""
    old = essay(random.Random(3), 25_000, False)
    new = [*old[:9_000], "CHANGED", *old[9_001:]]
    assert [text for tag, text in words(" ".join(old), " ".join(new)) if tag != "same"] == [
        old[9_000],
        "CHANGED",
    ]


def sixty(line: str) -> PromptVersion:
    lines = [
        f"Rule {i}: when the customer mentions case {i}, answer with *care* and cite user_id."
        for i in range(60)
    ]
    lines[30] = line
    return PromptVersion(
        [
            {"role": "system", "content": "\n".join(lines)},
            {"role": "user", "content": "{{ticket}}"},
        ],
        model="m",
    )


def test_a_one_line_edit_reads_short() -> None:
    """A one-line edit of a 60-line prompt, with a setting, is at most 10 lines of Markdown, each
    short, holding old and new.
    """
    old = sixty("Rule 30: never promise a refund.")
    new = PromptVersion.from_content(
        {
            **sixty("Rule 30: always promise a full refund.").content(),
            "settings": {"temperature": 0.2},
        }
    )
    lines = diff(old, new).markdown().splitlines()
    assert len(lines) <= 10
    assert all(len(line) < 400 for line in lines)
    assert "~~never~~ **always**" in lines[0]
    assert "**full**" in lines[0]
    assert lines[1] == "- `temperature`: (none) → `0.2`"


@pytest.mark.parametrize("context", [0, 1, 8])
def test_context(context: int) -> None:
    """Around a change are at most `context` words on each side."""
    old = PromptVersion(
        " ".join(f"a{i}" for i in range(50)) + " old " + " ".join(f"b{i}" for i in range(50))
    )
    new = PromptVersion(old.template[0]["content"].replace("old", "new"))
    said = diff(old, new).markdown(context).split()
    assert sum(word[0] in "ab" and word[1:].isdigit() for word in said) == 2 * context


FULL: dict[str, Any] = {
    "messages": [{"role": "system", "content": "a"}, {"role": "user", "content": "{{x}}"}],
    "model": "m",
    "settings": {"temperature": 0, "stop": ["a"]},
}


@pytest.mark.parametrize(
    ("change", "settings_", "messages"),
    [
        ({}, [], []),
        ({"model": None}, [("model", '"m"', None)], []),
        ({"settings": {"temperature": 1, "stop": ["a"]}}, [("temperature", "0", "1")], []),
        ({"settings": {"temperature": 0, "stop": ["a"], "seed": 1}}, [("seed", None, "1")], []),
        ({"tools": [{"type": "x"}]}, [("tools", None, '[{"type":"x"}]')], []),
        (
            {"response_format": {"type": "json_object"}},
            [("response_format", None, '{"type":"json_object"}')],
            [],
        ),
        (
            {"variables": {"x": "number"}},
            [
                (
                    "variable x",
                    '{"required":true,"type":"string"}',
                    '{"required":true,"type":"number"}',
                )
            ],
            [],
        ),
        ({"messages": FULL["messages"][1:]}, [], [("system", [("removed", "a")])]),
        (
            {"messages": [*FULL["messages"], {"role": "history"}]},
            [],
            [("history", [("added", "(empty)")])],
        ),
        (
            {"messages": [{"role": "system", "content": "b"}, FULL["messages"][1]]},
            [],
            [("system", [("removed", "a"), ("added", "b")])],
        ),
    ],
)
def test_every_field_is_compared(
    change: dict[str, Any], settings_: list[Any], messages: list[Any]
) -> None:
    """Each changed field is listed once with both sides; equal versions have no difference, unequal
    ones always have one.
    """
    old, new = PromptVersion.from_content(FULL), PromptVersion.from_content({**FULL, **change})
    found = old.diff(new)
    assert isinstance(found, VersionDiff)
    assert (found.settings, found.changed()) == (settings_, messages)
    assert (found.old_id, found.new_id) == (old.id, new.id)
    assert bool(found) is bool(change)
    for text in (str(found), repr(found), found.markdown(), found._repr_html_()):
        assert ("no difference" not in text) is bool(change)


def test_parts_and_calls_are_compared() -> None:
    """Content parts and tool calls differ as their canonical text."""
    parts = [{"type": "text", "text": "a"}]
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    old = PromptVersion(
        [
            {"role": "user", "content": parts},
            {"role": "assistant", "content": None, "tool_calls": [call]},
        ]
    )
    new = PromptVersion(
        [
            {"role": "user", "content": [*parts, *parts]},
            {"role": "assistant", "content": None, "tool_calls": [call, call]},
        ]
    )
    assert [role for role, _ in old.diff(new).changed()] == ["user", "assistant"]


class Reader(HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


HOSTILE = (
    "<img src=x onerror=alert(1)> $\\href{javascript:alert(1)}{x}$ [a](javascript:b) **bold**"
    " `code` \x1b[31m \u202e |"
)


def test_data_stays_data() -> None:
    """S9, S22: hostile text is neither HTML, Markdown, mathematics nor a terminal's orders in any
    of the three forms.
    """
    found = PromptVersion("be brief").diff(
        PromptVersion(f"be {HOSTILE}", settings={"a`b\nc": HOSTILE}, model=HOSTILE)
    )
    page = found._repr_html_()
    reader = Reader()
    reader.feed(page)
    assert reader.tags <= {"div", "p", "b", "pre", "del", "ins"}
    assert "<img src=x onerror=alert(1)>" in reader.text
    assert "$" not in page
    for text in (str(found), found.markdown(), page):
        assert not any(char in text for char in "\x1b\u202e\r")
    said = found.markdown()
    message, *rest = said.split("\n")
    assert not any(sign in message for sign in ("<img", "[a](", "**bold", "`code", "$", " |"))
    assert len(rest) == 2
    # a name and two values, of which one was not there: code spans, and nothing else but the arrow
    for line in rest:
        spans = [
            token
            for block in MarkdownIt("commonmark").parse(line)
            for token in block.children or ()
            if token.content.strip()
        ]
        assert [token.type for token in spans] == ["code_inline", "text", "code_inline"]
    assert "alert(1)" in html.unescape(message)

"""Code fences are read in linear time, and exactly as the patterns read them that took longer."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.scorers import fences
from tests.quick import quick

ALONE = re.compile(r"\s*(`{3,}|~{3,})[^\n]*\n(.*?)\n?[ \t]*\1\s*", re.DOTALL)
BLOCK = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[^\n`]*\n(.*?)\n?^[ \t]*\1[ \t]*$", re.DOTALL | re.MULTILINE
)
TEXT = st.lists(
    st.sampled_from(["```", "~~~", "`", "~", "````", "\n", "\n", " ", "\t", "a", "\r", "\x1c"]),
    max_size=14,
).map("".join)


@settings(deadline=None, max_examples=3000)
@given(TEXT)
def test_they_are_read_as_the_patterns_read_them(text: str) -> None:
    whole = ALONE.fullmatch(text)
    assert fences.unfenced(text) == (whole[2] if whole else None)
    assert fences.blocks(text) == [match[2] for match in BLOCK.finditer(text)]


@pytest.mark.parametrize(
    "unit", ["`", "~", "```\n", "~~~\n", "`\n", "```a\n", " ```", "\n", "~~~~\n~~~ x\n"]
)
def test_any_text_is_read_at_once(unit: str) -> None:
    """A megabyte of it: a search that began again at each sign would take minutes."""
    text = unit * (1_000_000 // len(unit))
    with quick(5):
        fences.unfenced(text)
        fences.unfenced(f"```\n{text}x")
        fences.blocks(text)

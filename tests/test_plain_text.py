"""No character ends a command: a console that lacks it gets the nearest plain one."""

from __future__ import annotations

import io

import pytest

from promptops.plain_text import plain_where_needed


@pytest.mark.parametrize(
    ("encoding", "text", "written"),
    [
        ("cp1252", "−5.0 points · é", "-5.0 points · é"),
        ("ascii", "−5.0 points · é → 3×", "-5.0 points - e -> 3x"),
        ("ascii", "█▁ ✓ 日本", "#. ok ??"),
        ("utf-8", "−5.0 · 日本", "−5.0 · 日本"),
    ],
)
def test_the_nearest_character_is_written(encoding: str, text: str, written: str) -> None:
    """Signs by a table, letters without their accents, a question mark for the rest."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    plain_where_needed(stream)
    stream.write(text)
    stream.flush()
    assert raw.getvalue().decode(encoding) == written


def test_other_streams_are_left_alone() -> None:
    """What a test or a notebook puts in the place of standard output."""
    plain_where_needed(io.StringIO())

"""What a terminal of 80 columns shows: sentences part between words, ids and dates not at all."""

from __future__ import annotations

import io
import sys

import click
import pytest

from promptops.cli import text_table
from promptops.cli.folding import folded


def test_a_sentence_goes_on_under_its_own_beginning() -> None:
    """No line is wider than the terminal, no word is parted, and nothing else changes."""
    text = "v2 is right on more\n  - a note that is rather long, so it goes on\n\n   row"
    lines = folded(text, 24).split("\n")
    assert lines == [
        "v2 is right on more",
        "  - a note that is",
        "    rather long, so it",
        "    goes on",
        "",
        "   row",
    ]
    assert folded("see " + "x" * 40, 24) == "see\n" + "x" * 40


def test_a_table_parts_neither_an_id_nor_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """In 80 columns the words of a note wrap; what somebody may copy does not."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    row = {
        "version": "v1",
        "id": "p1-1c8e3d1d",
        "model": "embedded",
        "created": "2026-11-30",
        "at": "2026-11-30 09:04",
        "author": "a person of several names",
        "note": "what we had in the code before this was a prompt",
    }
    text_table.show([row])
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    for word in ("p1-1c8e3d1d", "2026-11-30 09:04", "embedded"):
        assert word in lines[1]
    assert {*row["note"].split(), *row["author"].split()} <= set(shown.getvalue().split())
    shown.truncate(0)
    text_table.show([{**row, "dataset": "support_tickets_of_may", "status": "finished"}])
    blocks = click.unstyle(shown.getvalue()).replace("\0", "").splitlines()
    assert blocks[0] == "v1"  # too wide for 80 columns: a block per row, and nothing is cut
    assert blocks[1].split() == ["id", "p1-1c8e3d1d"]
    assert [line.split(None, 1)[0] for line in blocks[1:]] == [*list(row)[1:], "dataset", "status"]

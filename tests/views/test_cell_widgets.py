"""A cell that runs again closes the widgets of its earlier runs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import ipywidgets as widgets
import pytest

from promptops.views.cell_widgets import CellWidgets


def shell(cell: str | None, code: str, run: int) -> Any:
    parent = {"metadata": {"cellId": cell} if cell else {}, "content": {"code": code}}
    kernel = SimpleNamespace(get_parent=lambda channel: parent)
    return SimpleNamespace(kernel=kernel, execution_count=run)


def box() -> Any:
    return widgets.VBox([widgets.HTML(), widgets.Button()])


@pytest.mark.parametrize("cell", ["cell-1", None])
def test_the_earlier_runs_widgets_are_closed(cell: str | None) -> None:
    """With all that belongs to them; the same cell is known by its identifier or its source."""
    shown, first, second = CellWidgets(), box(), box()
    parts = [first, *first.children, first.layout, first.children[1].style]
    shown.replace(first, shell(cell, "study", 1))
    shown.replace(second, shell(cell, "study", 2))
    assert all(part.comm is None for part in parts)
    assert second.comm is not None


def test_other_cells_and_the_same_run_keep_theirs() -> None:
    """Two views of one run stand side by side; so do two cells."""
    shown, boxes = CellWidgets(), [box() for _ in range(3)]
    shown.replace(boxes[0], shell("a", "x", 1))
    shown.replace(boxes[1], shell("a", "x", 1))
    shown.replace(boxes[2], shell("b", "x", 2))
    assert all(each.comm is not None for each in boxes)


def test_a_terminal_has_no_cells() -> None:
    """Nothing is kept, and nothing closed."""
    shown, one = CellWidgets(), box()
    shown.replace(one, SimpleNamespace(execution_count=1))
    shown.replace(box(), None)
    assert one.comm is not None

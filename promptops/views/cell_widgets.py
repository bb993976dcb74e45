"""The widgets that a cell displayed before are closed when the cell runs again.

ipywidgets keeps every widget of a kernel alive, with its state and its messages, until somebody
closes it. A cell is known by the identifier that JupyterLab sends, else by its source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ipywidgets as widgets

__all__ = ["CellWidgets"]


class CellWidgets:
    """Which containers each cell of a kernel has on display."""

    def __init__(self) -> None:
        self._shown: dict[str, tuple[int, list[object]]] = {}

    def replace(self, box: object, shell: object) -> None:
        """Note that the running cell displays `box`, and close what its earlier runs displayed."""
        found = _running_cell(shell)
        if found is None:
            return
        cell, run = found
        before, boxes = self._shown.get(cell, (run, []))
        if before != run:
            for old in boxes:
                if old is not box:
                    close(old)
            boxes = []
        self._shown[cell] = (run, [*boxes, box])


def close(widget: widgets.Widget) -> None:
    """Close a widget with its children, layout and style."""
    parts = [*getattr(widget, "children", ()), getattr(widget, "layout", None)]
    for part in [*parts, getattr(widget, "style", None)]:
        if hasattr(part, "close"):
            close(part)
    widget.close()


def _running_cell(shell: Any) -> tuple[str, int] | None:
    """(what identifies the running cell, the number of this run); None outside a kernel."""
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return None
    parent = kernel.get_parent("shell") or {}
    cell = (parent.get("metadata") or {}).get("cellId") or (parent.get("content") or {}).get("code")
    return (str(cell), int(shell.execution_count)) if cell else None

"""A widget in a cell, and beside it the page that a saved notebook keeps: one of the two is seen,
whichever can be.

JupyterLab draws a widget's output only while the widget lives in a kernel; reopened without, it
says "model not found" in its place and never falls back to the HTML of the same output. So there
are two outputs: static HTML, then the widget. A style in the first hides it while the widget is
drawn, and hides the second while it is not. Each pair has a name of its own.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .cell_widgets import CellWidgets
from .theme import page

if TYPE_CHECKING:
    import ipywidgets as widgets

__all__ = ["Shown", "View", "fitting", "put"]

MOST = 90_000  # bytes of a view in a saved notebook; what the widget adds is small
_RULES = """<style>div:has(.STILL):not(:has(.LIVE)):has(+div .LIVE){display:none!important}
.jp-OutputArea-child:has(.STILL)+.jp-OutputArea-child:not(:has(.LIVE)){display:none!important}\
</style>"""


_CELLS = CellWidgets()  # a kernel is one process: its cells are its own


class Shown:
    """box: an ipywidgets container; html: what is in its place where no kernel is; text: the
    same for a terminal.
    """

    def __init__(self, box: widgets.Widget, html: str, text: str) -> None:
        name = secrets.token_hex(4)
        self.box = box
        self._still, self._live = f"po-still-{name}", f"po-live-{name}"
        self.html, self.text = html, text
        self._handle: Any = None
        box.add_class(self._live)

    def still(self) -> dict[str, object]:
        """The first output: what is kept."""
        rules = _RULES.replace("STILL", self._still).replace("LIVE", self._live)
        return {
            "text/html": f"{rules}<div class='{self._still}'>{self.html}</div>",
            "text/plain": self.text,
        }

    def live(self) -> dict[str, Any]:
        """The second: the widget, and nothing for those who cannot draw it."""
        return {**(self.box._repr_mimebundle_() or {}), "text/plain": ""}

    def display(self) -> None:
        """Put both into the running cell; in a terminal the text alone."""
        self._handle = put(self.still(), display_id=True)
        if _drawn():
            put(self.live())
            _CELLS.replace(self.box, _shell())

    def keep(self, html: str, text: str) -> None:
        """From now on this is what the saved notebook has."""
        self.html, self.text = html, text
        if self._handle is not None:
            self._handle.update(self.still(), raw=True)


class View(ABC):
    """What shows itself as the last line of a cell. box: its ipywidgets container."""

    box: widgets.Widget

    @abstractmethod
    def static(self) -> str:
        """Safe markup that is in its place in a saved notebook, at most MOST bytes."""

    def shown(self) -> Shown:
        """Its two outputs."""
        return Shown(self.box, self.static(), repr(self))

    def present(self) -> None:
        """Put it into the running cell."""
        self._ipython_display_()

    def _ipython_display_(self) -> None:
        self.shown().display()


def fitting(parts: Iterable[str]) -> str:
    """As many of the parts, in order, as a saved notebook takes; it says so where one had to be
    left out.
    """
    kept, left, cut = [], MOST - 1_000, False
    for part in parts:
        size = len(part.encode())
        if size > left:
            cut = True
            continue
        kept.append(part)
        left -= size
    wording = (
        page(
            "<p class='dim'>More than a notebook should hold was left out here; run the cell to see"
            " it.</p>"
        )
        if cut
        else ""
    )
    return "".join(kept) + wording


def put(bundle: dict[str, object], **options: Any) -> object:
    """IPython's display of a bundle of forms."""
    from IPython import display

    show: Any = display.display  # untyped
    return show(bundle, raw=True, **options)


def _drawn() -> bool:
    """Whether anything here can draw a widget: a kernel, not a terminal."""
    return getattr(_shell(), "kernel", None) is not None


def _shell() -> object:
    from IPython import get_ipython

    shell: Any = get_ipython  # untyped
    return shell()

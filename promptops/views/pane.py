"""A region of safe markup that hears keys and clicks: `j` stays here and does not become a command
of JupyterLab.

The markup comes ready from Python, where every text that is not ours went through `esc`; the
browser sends back which key, or which `data-press` of the markup, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

__all__ = ["Pane"]


class Pane(anywidget.AnyWidget):  # type: ignore[misc,unused-ignore]  # anywidget is untyped
    """html: safe markup; heard: its keys, as KeyboardEvent.key names it; label: what it is, for
    those who cannot see it.
    """

    _esm = Path(__file__).parent / "static" / "pane.js"
    html = traitlets.Unicode("").tag(sync=True)
    heard: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)  # `keys` is the widget's own
    label = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self, pressed: Callable[[str], None], *, keys: Sequence[str] = (), label: str = ""
    ) -> None:
        super().__init__(heard=list(keys), label=label)
        self._pressed = pressed
        self.on_msg(self._heard)

    def press(self, what: str) -> None:
        """As if somebody had pressed this key, or clicked what carries it."""
        self._pressed(what)

    def _heard(self, _widget: object, content: object, _buffers: object) -> None:
        if isinstance(content, dict) and isinstance(content.get("press"), str):
            self._pressed(content["press"][:200])

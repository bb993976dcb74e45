"""The controls of the views, alike in all of them: each has a width of its own and never widens a
narrow page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ..markup import plain

if TYPE_CHECKING:
    import ipywidgets as widgets

__all__ = ["button", "choice", "field", "offered", "react", "sized", "wrapping"]


def sized(width: str, **more: str) -> widgets.Layout:
    """A width that a narrow page cuts down."""
    import ipywidgets as widgets

    return widgets.Layout(width=width, max_width="98%", **more)


def offered(options: Iterable[object]) -> list[tuple[str, object]]:
    """The options of a drop-down list, (label, value) or text alone, with labels that show every
    text as it is written.
    """
    pairs = [each if isinstance(each, tuple) else (each, each) for each in options]
    return [(plain(label), value) for label, value in pairs]


def choice(
    name: str, options: Iterable[object], *, value: object = None, width: str, name_width: str = ""
) -> widgets.Dropdown:
    """A drop-down list. name_width: of its description, ipywidgets' own if empty."""
    import ipywidgets as widgets

    shown = widgets.Dropdown(options=offered(options), description=name, layout=sized(width))
    if name_width:
        shown.style.description_width = name_width
    if value is not None:
        shown.value = value
    return shown


def field(placeholder: str, *, value: str = "", width: str) -> widgets.Text:
    """A line of text, read when it was left or confirmed."""
    import ipywidgets as widgets

    return widgets.Text(
        value=value, placeholder=placeholder, continuous_update=False, layout=sized(width)
    )


def button(
    label: str, action: Callable[[], object], *, icon: str = "", tooltip: str | None = None
) -> widgets.Button:
    """A button as wide as its label, and what a click does."""
    import ipywidgets as widgets

    shown = widgets.Button(
        description=label, icon=icon, tooltip=tooltip, layout=widgets.Layout(width="auto")
    )
    shown.on_click(lambda _button: action())
    return shown


def react(controls: Iterable[widgets.Widget], action: Callable[[], object]) -> None:
    """Do something whenever the value of one of the controls changes."""
    for control in controls:
        control.observe(lambda _change: action(), names="value")


def wrapping(*controls: widgets.Widget) -> widgets.HBox:
    """A row of controls that goes on in the next line where the page is narrow."""
    import ipywidgets as widgets

    return widgets.HBox(list(controls), layout=widgets.Layout(flex_flow="row wrap"))

"""What the public doors take and return has types: `Any` is in none of it."""

from __future__ import annotations

from pathlib import Path

from tests.structure.measure import modules
from tests.structure.public_types import public_any


def test_no_any_at_the_public_doors() -> None:
    """Neither written out, nor by an alias, nor as a container without arguments."""
    assert public_any(modules()) == []


def test_any_is_noticed_wherever_it_hides(tmp_path: Path) -> None:
    """The measure itself: an argument, a result, an attribute, an alias, a base, a bare list; what
    `request` returns may be unpacked into a client.
    """
    package = tmp_path / "promptops"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from .a import Made, given\n\n__all__ = ['Made', 'given']\n"
    )
    (package / "b.py").write_text(
        "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    Row = dict[str, Any]\n\n\n"
        "class Base:\n    rows: list[Row]\n\n    def _own(self, x: Any) -> Any: ...\n"
    )
    (package / "a.py").write_text(
        "from .b import Base, Row\n\n\n"
        "def given(one: object, *, other: list) -> 'Row | None': ...\n\n\n"
        "class Made(Base):\n"
        "    def __init__(self, **more: Any) -> None:\n"
        "        self.shown: Any = None\n        self._hidden: Any = None\n\n"
        "    def request(self, model: str) -> dict[str, Any]: ...\n\n"
        "    def answer(self, rows: list[str]) -> dict[str, Any]: ...\n"
    )
    assert public_any(modules(package), ["promptops"]) == [
        "promptops.Made.__init__(more: Any)",
        "promptops.Made.answer -> dict[str, Any]",
        "promptops.Made.rows: list[Row]",
        "promptops.Made.shown: Any",
        "promptops.given -> 'Row | None'",
        "promptops.given(other: list)",
    ]

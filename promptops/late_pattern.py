"""Regular expressions that are compiled when they are first used.

Importing `re` takes an application half as long as importing everything else that loads a prompt,
and a process that only checks whether promptops is there never matches anything.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from typing import Any

__all__ = ["late_pattern"]


class _LatePattern:
    """Has the methods of the compiled pattern, each of which it keeps once it was asked for."""

    def __init__(self, text: str, ascii_only: bool) -> None:
        self._text, self._ascii_only = text, ascii_only

    def __getattr__(self, name: str) -> Any:
        import re

        found = getattr(re.compile(self._text, re.ASCII if self._ascii_only else 0), name)
        setattr(self, name, found)
        return found


def late_pattern(text: str, *, ascii_only: bool = False) -> re.Pattern[str]:
    """As `re.compile`; ascii_only: with `re.ASCII`."""
    return _LatePattern(text, ascii_only)  # type: ignore[return-value]  # it acts as one

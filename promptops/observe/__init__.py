"""The application's recorder: live calls, each one row, with the prompt that it came from.

`promptops.observe(OpenAI())` is this module, called: a package of that name and a function of that
name are one thing, so that neither hides the other, whichever is met first.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from .door import observe
from .live_call import session
from .open_queues import all_queues, healths

__all__ = ["flush", "health", "observe", "session"]


def health() -> dict[str, dict[str, object]]:
    """For each sink of this process: rows put, stored, dropped and waiting, and what went wrong
    last; JSON-ready.
    """
    return healths()


def flush(timeout_s: float = 2.0) -> bool:
    """Wait until what was recorded up to now is stored or dropped, so long at most; for a
    serverless function that is frozen when it returns. Whether all of it was.
    """
    flushed = [queue.flush(timeout_s) for queue in all_queues()]
    return all(flushed)


class _Door(ModuleType):
    """A module that is called as its function."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return observe(*args, **kwargs)


_Door.__call__.__doc__ = observe.__doc__
sys.modules[__name__].__class__ = _Door

"""The application's recorder of live calls: one row per call, with the prompt that it came from.

`promptops.observe(OpenAI())` calls this module: the package and the function of this name are the
same object, so neither hides the other, regardless of which is imported first.
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
    """The state of each sink of this process, ready for JSON: rows put, stored, dropped and
    waiting, and the last error.
    """
    return healths()


def flush(timeout_s: float = 2.0) -> bool:
    """Wait until all rows recorded so far are stored or dropped, for at most `timeout_s`; returns
    whether all were. Use it in a serverless function that is frozen when it returns.
    """
    flushed = [queue.flush(timeout_s) for queue in all_queues()]
    return all(flushed)


class _Door(ModuleType):
    """A module that is called as its function."""

    def __call__(self, *args: object, **kwargs: Any) -> object:
        return observe(*args, **kwargs)


_Door.__call__.__doc__ = observe.__doc__
sys.modules[__name__].__class__ = _Door

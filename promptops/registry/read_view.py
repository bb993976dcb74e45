"""The next view: what is at the path now, beside what was known before; never an exception, never a
change to a view.

Whatever is wrong with the file, the view that follows serves what was known, else the saved copy,
else nothing.
"""

from __future__ import annotations

import time

from . import source
from . import view as views
from .debug_log import debug

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .view import RegistryView

__all__ = ["SETTLE_S", "following", "saved_copy"]

# a file rewritten in place within one tick of the clock keeps its signature: look once more after
# this
SETTLE_S = 0.05
COARSE_S = 2.1  # the same where the file system's clock ticks once in one or two seconds


def following(
    before: RegistryView, path: str, *, monotonic: bool, copies: bool, cold: bool
) -> RegistryView:
    """The view after `before`. copies: a copy of a good file is kept, and serves a cold start;
    cold: nothing succeeded yet.
    """
    seen: object = None
    stamp: object = None
    try:
        seen, data = source.contents(path)
        stamp = (len(data), hash(data))
        if stamp == before.stamp:
            return before.looked(seen, _next_look(before, seen))
        compared = (
            before.content if before.content.prompts or not copies else _copied_content(path, data)
        )
        content = views.read(data, path, compared, forward=monotonic)
    except Exception as error:
        fault = source.fault(error, path)
        debug("%s cannot be served (%s); what was known goes on", path, type(error).__name__)
        copy = saved_copy(path) if copies and cold and not before.content.prompts else None
        return _held(before, seen, stamp, fault, copy)
    debug("%s read: %d bytes, %d prompts", path, len(data), len(content.prompts))
    if copies and not (monotonic and content.back):  # the copy remembers how far it had come
        from .saved_copy import save

        save(path, data)
    return views.RegistryView(seen, content, stamp=stamp, recheck=_later(seen))


def saved_copy(path: str) -> RegistryView | None:
    """The view of the saved copy, or None if it is missing or not to be trusted."""
    from .saved_copy import saved

    return saved(path)


def _next_look(before: RegistryView, seen: object) -> float | None:
    """When to look again at bytes that are as before: their signature is new, the second look is
    still to come, or never.
    """
    if seen != before.signature:
        return _later(seen)
    due = before.recheck
    return due if due is not None and time.monotonic() < due else None


def _later(seen: object) -> float:
    """When a file that is rewritten from now on has another signature than `seen`."""
    coarse = isinstance(seen, tuple) and not any(tick % 1_000_000_000 for tick in seen[:2])
    return time.monotonic() + (COARSE_S if coarse else SETTLE_S)


def _copied_content(path: str, data: bytes) -> views.Content | None:
    from .saved_copy import saved

    copy = saved(path, unlike=data)
    return None if copy is None else copy.content


def _held(
    before: RegistryView,
    seen: object,
    stamp: object,
    fault: source.Fault,
    copy: RegistryView | None,
) -> RegistryView:
    """The view while the file is bad: what was known before, else the saved copy, else nothing."""
    since = before.since if before.since is not None else time.monotonic()
    content = before.content
    if copy is not None:
        content, since = copy.content, copy.since if copy.since is not None else since
    recheck = None if stamp is None else _later(seen)
    return views.RegistryView(seen, content, fault=fault, since=since, stamp=stamp, recheck=recheck)

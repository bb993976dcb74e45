"""Looking at the file between requests, so that none of them pays for reading a change.

Asked for, never on by itself.
"""

from __future__ import annotations

import contextlib
import threading
import time
import weakref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .loader import Loader


def watch(loader: Loader, every_s: float) -> threading.Thread | None:
    """A daemon thread that refreshes the loader until it is gone.

    A forked child has none; its gets look by themselves.
    """
    thread = threading.Thread(
        target=_look,
        args=(weakref.ref(loader), max(every_s, 0.01)),
        name="promptops-watch",
        daemon=True,
    )
    with contextlib.suppress(RuntimeError):  # no more threads: every get still looks
        thread.start()
        return thread
    return None


def _look(reference: weakref.ref[Loader], every_s: float) -> None:
    while True:
        loader = reference()
        if loader is None:
            return
        loader.refresh()
        del loader
        time.sleep(every_s)

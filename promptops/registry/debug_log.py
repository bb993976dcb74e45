"""What the log says of the registry, at the debug level of `promptops.registry`: names and numbers,
never the text of a prompt.

An application that never imported `logging` set up no log: it is not imported for this either, so
that loading a prompt costs as little as before.
"""

from __future__ import annotations

import sys

__all__ = ["debug"]


def debug(text: str, *values: object) -> None:
    """One line, where somebody may be listening."""
    logging = sys.modules.get("logging")
    if logging is not None:
        logging.getLogger("promptops.registry").debug(text, *values)

"""Waiting for a process of our own, where giving up would leave half of what somebody asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from .connect import NotOurTurn

__all__ = ["PATIENT_S", "patiently"]

PATIENT_S = 60.0
T = TypeVar("T")


def patiently(step: Callable[[], T]) -> T:
    """What `step` gives, tried again while a process of our own has the file's turn.

    Raises NotOurTurn after a minute, and Busy at once where the file is another program's.
    """
    until = time.monotonic() + PATIENT_S
    while True:
        try:
            return step()
        except NotOurTurn:
            if time.monotonic() > until:
                raise

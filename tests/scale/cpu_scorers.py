"""Scorers in a module, as workers can import them."""

from __future__ import annotations

import time


def patient(output: str, expected: str) -> bool:
    """Takes 20 ms of the processor for each answer, whatever other threads take meanwhile."""
    until = time.thread_time() + 0.02
    while time.thread_time() < until:
        pass
    return output == expected


def quick(output: str, expected: str) -> bool:
    """Says whether they are equal."""
    return output == expected

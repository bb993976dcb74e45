"""Whose turn it is to ask, among the workers of pytest-xdist: they are processes that begin at one
moment, and what two of them ask at once would be paid for twice.

A study has its versions to itself; a case shares its version with other cases, and has its question
to itself. Who waits finds the answer recorded.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..lab import Lab

__all__ = ["question_turn", "study_turn"]

_FOLDER = "pytest"  # in the store's
_STRIPES = 64  # files for questions: two that share one wait for each other, and lose no more
_WAIT_S = 6 * 3600.0  # as long as a study may take


@contextmanager
def study_turn(lab: Lab, versions: Sequence[str]) -> Iterator[bool]:
    """Ids of versions that nobody else asks within the block. Gives whether anybody could."""
    with ExitStack() as stack:
        shared = "PYTEST_XDIST_WORKER" in os.environ
        # in one order, so that no two wait crosswise
        for version in sorted(set(versions)) if shared else ():
            _take(stack, lab, version[:24], exclusive=True)
        yield shared


@contextmanager
def question_turn(lab: Lab, version: str, values: object) -> Iterator[None]:
    """A question that nobody else asks within the block."""
    with ExitStack() as stack:
        if "PYTEST_XDIST_WORKER" in os.environ:
            _take(stack, lab, version[:24], exclusive=False)
            stripe = hashlib.sha256(f"{version} {values!r}".encode("utf-8", "replace")).digest()[0]
            _take(stack, lab, f"question-{stripe % _STRIPES}", exclusive=True)
        yield


def _take(stack: ExitStack, lab: Lab, name: str, *, exclusive: bool) -> None:
    from ..spool.locks import turn
    from ..spool.segment import make_folder

    folder = lab.store.folder / _FOLDER
    with suppress(OSError):  # a folder that is read-only keeps no answers either
        make_folder(lab.store.folder)
        folder.mkdir(mode=0o700, exist_ok=True)
        stack.enter_context(turn(folder / f"{name}.lock", exclusive=exclusive, wait_s=_WAIT_S))

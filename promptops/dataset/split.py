"""Which third of the work an example belongs to, by a stable hash: growing a dataset never moves an
example.

Half test, a quarter val, a quarter train: verdicts are made on test, so test gets the most.
"""

from __future__ import annotations

import hashlib
import re

__all__ = ["SPLITS", "key_of", "split_of"]

SPLITS = ("train", "val", "test")
_NUMBERED = re.compile(
    r"x-[0-9a-f]{12}-[0-9]+"
)  # the id of a row that asks the same as another: see build.py


def split_of(key: str) -> str:
    """ "test" for half of all keys, "val" and "train" for a quarter each: the first 64 bits of the
    key's SHA-256.

    key: what moves together, an example's cluster or id. The same key is the same split forever,
        on any machine.
    """
    place = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
    return "test" if place < 0.5 else "val" if place < 0.75 else "train"


def key_of(id: str, cluster: str | None) -> str:
    """What decides an example's split: its cluster if it has one, else its id.

    Rows that ask the same share one key, whatever their number: the answer to one would give the
    other away.
    """
    if cluster is not None:
        return cluster
    return id.rpartition("-")[0] if _NUMBERED.fullmatch(id) else id

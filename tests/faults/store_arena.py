"""A single-threaded process that forks writers and mergers and kills them at random moments; prints
what it saw as JSON.

Run as `python store_arena.py write|merge FOLDER KILLS SEED [broken]`. `broken` swaps in an
implementation that is wrong on purpose: the tests prove by it that they would notice.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

from promptops.store import Store, merge_segments
from promptops.store.recorder import Spool


def writer(folder: Path, name: str, acknowledge: int, broken: bool) -> None:
    """Record and acknowledge, forever."""
    if broken:
        Spool.append = _acknowledges_first  # type: ignore[method-assign]
    store = Store(folder)
    count = 0
    while True:
        store.append(
            "study_events",
            [
                {
                    "study_id": name,
                    "event_at": "2026-01-01T00:00:00",
                    "event": str(count),
                    "detail": "x" * 500,
                }
            ],
        )
        os.write(acknowledge, b"%d\n" % count)
        count += 1


_real_append = Spool.append


def _acknowledges_first(spool: Spool, lines: bytes) -> None:
    """Returns before the bytes are written."""
    threading.Timer(0.005, _real_append, (spool, lines)).start()


def write_round(folder: Path, turn: int, rng: random.Random, broken: bool) -> list[str]:
    """One writer, killed; returns the names of what it acknowledged."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            writer(folder, f"w{turn}", writing, broken)
        finally:
            os._exit(1)
    os.close(writing)
    first = os.read(reading, 65_536)
    time.sleep(rng.uniform(0, 0.06))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    said = first
    while more := os.read(reading, 65_536):
        said += more
    os.close(reading)
    return [f"w{turn}/{line}" for line in said.decode().split("\n")[:-1]]


def merger(folder: Path, tell: int, broken: bool) -> None:
    """Merge once, saying when a transaction begins and when it has committed."""
    real_commit, real_mark = merge_segments._commit, merge_segments._mark

    def commit(con, tables, marks):  # type: ignore[no-untyped-def]
        os.write(tell, b"b")
        new = real_commit(con, tables, marks)
        os.write(tell, b"c")
        return new

    def apart(con, marks):  # type: ignore[no-untyped-def]
        """Offsets in a transaction of their own, before the rows."""
        real_mark(con, marks)
        con.execute("COMMIT")
        os.write(tell, b"m")
        con.execute("BEGIN")

    merge_segments._commit = commit
    if broken:
        merge_segments._mark = apart
    Store(folder).merge()


REACH = [
    0.012
]  # seconds within which a kill falls, adjusted so that kills fall on both sides of the commit


def merge_round(folder: Path, turn: int, rng: random.Random, broken: bool) -> str:
    """Some rows, and one merger of them, killed; returns "before" or "after" its commit."""
    store = Store(folder)
    rows = [
        {
            "study_id": f"m{turn}",
            "event_at": "2026-01-01T00:00:00",
            "event": str(n),
            "detail": "y" * 200,
        }
        for n in range(200)
    ]
    store.append("study_events", rows)
    store.close()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            merger(folder, writing, broken)
        finally:
            os._exit(0)
    os.close(writing)
    awaited = b"m" if broken else b"c" if turn % 2 else b"b"
    said = b""
    while awaited not in said and (more := os.read(reading, 1)):
        said += more
    time.sleep(rng.uniform(0, 0.0 if broken else REACH[0]))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(reading, 64):
        said += more
    os.close(reading)
    if not turn % 2:  # meant to fall before the commit: aim by how long this machine's commits take
        REACH[0] *= 0.5 if b"c" in said else 1.5
    return "after" if b"c" in said else "before"


def main() -> None:
    what, folder, kills, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    broken = "broken" in sys.argv[5:]
    rng = random.Random(seed)
    if what == "write":
        print(
            json.dumps(
                [name for turn in range(kills) for name in write_round(folder, turn, rng, broken)]
            )
        )
    else:
        import duckdb  # noqa: F401  (once here, instead of in every child)
        import pyarrow.json  # noqa: F401

        print(json.dumps([merge_round(folder, turn, rng, broken) for turn in range(kills)]))


if __name__ == "__main__":
    main()

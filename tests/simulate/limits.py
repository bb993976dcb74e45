"""Past the machines that we have, on paper: what 10,000 hosts, a million users and 1e8 live calls a
day would need, and which limit is met first.

`python tests/simulate/limits.py` prints the table of the guide's page "scaling" from the constants
below; `--measure` measures those that are ours on this machine, in seconds of its processor.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GB, DAY_S, MONTH_D = 1e9, 86_400, 30


@dataclass(frozen=True, slots=True)
class Constants:
    """Measured on one core of the build machine (November 2026, `--measure`; the rates with
    200,000 rows), but for the last group: prices and limits of a large provider's bucket as its
    list has them, which are dated and not ours.
    """

    segment_bytes: float = 622.0  # of a live row without content, as it is recorded
    database_bytes: float = 145.0  # of the same row in DuckDB
    parquet_bytes: float = 72.0  # in the archive
    merge_rows_s: float = 51_000.0  # taken into DuckDB, a second of the processor
    group_rows_s: float = 1_950_000.0  # averaged by user
    rotate_bytes: float = 64 * 2**20  # a segment ends there
    reply_bytes: float = 350.0  # a 304 with its headers
    put_usd: float = 5e-6
    get_usd: float = 0.4e-6
    stored_usd_gb_month: float = 0.023
    gets_s: float = 5_500.0  # that one prefix of a bucket takes
    egress_usd_gb: float = 0.09


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of the table."""

    what: str
    figure: str


def lines(k: Constants) -> Iterator[Line]:
    """The table, in order."""
    yield from _hosts(k)
    yield from _users(k)
    yield from _calls(k)


def _hosts(k: Constants, hosts: int = 10_000, every_s: int = 60) -> Iterator[Line]:
    rate = hosts / every_s
    month = rate * DAY_S * MONTH_D
    usd = month * (k.get_usd + k.reply_bytes / GB * k.egress_usd_gb)
    yield Line(f"{hosts:,} hosts, `promptops sync` every {every_s} s", f"{rate:,.0f} requests/s")
    yield Line("share of what one prefix of a bucket takes", f"{rate / k.gets_s:.0%}")
    yield Line("replies that nothing changed, per month", f"{month / 1e6:,.0f} million")
    yield Line("their cost from a bucket, per month", f"{usd:,.0f} USD")
    yield Line(
        "a promotion of a 7 MB registry reaches all of them",
        f"{hosts * 7e6 / GB:,.0f} GB in {every_s} s, {hosts * 7e6 * 8 / every_s / 1e9:.0f} Gbit/s",
    )
    yield Line(
        "the same from `promptops export` (30 kB)",
        f"{hosts * 3e4 / GB:.1f} GB, {hosts * 3e4 * 8 / every_s / 1e6:.0f} Mbit/s",
    )


def _users(k: Constants, users: int = 1_000_000, calls: int = 20) -> Iterator[Line]:
    rows = users * calls
    yield Line(
        f"{users:,} users in a canary, {calls} calls each", f"{rows / 1e6:,.0f} million rows"
    )
    yield Line("kept by the loader for them", "nothing: the arm is a hash of the key")
    yield Line("averaged by user, as the canary is judged", f"{rows / k.group_rows_s:,.0f} s")
    yield Line("those rows in DuckDB", f"{rows * k.database_bytes / GB:,.1f} GB")


def _calls(k: Constants, calls: float = 1e8) -> Iterator[Line]:
    recorded = calls * k.segment_bytes
    segments = recorded / k.rotate_bytes / 24
    merge_h = calls / k.merge_rows_s / 3600
    stored = calls * k.parquet_bytes * MONTH_D
    usd = stored / GB * k.stored_usd_gb_month + segments * 24 * MONTH_D * k.put_usd
    yield Line(f"{calls:.0e} live calls per day", f"{calls / DAY_S:,.0f} rows/s on average")
    yield Line("recorded per day, without content", f"{recorded / GB:,.0f} GB")
    yield Line("segments per hour, shared by all hosts", f"{segments:,.0f}")
    yield Line("merging one day, one core of each reader", f"{merge_h:.1f} h")
    database = calls * k.database_bytes * MONTH_D / GB
    yield Line("the DuckDB file of each reader, 30 days", f"{database:,.0f} GB")
    yield Line("the archive of 30 days", f"{stored / GB:,.0f} GB")
    yield Line("30 days in a bucket", f"{usd:,.0f} USD a month")
    yield Line(
        "a reader that joins brings a day",
        f"{recorded / GB:,.0f} GB as segments, {recorded / GB * k.egress_usd_gb:.2f} USD",
    )


def table(k: Constants) -> str:
    """As Markdown."""
    rows = [f"| {line.what} | {line.figure} |" for line in lines(k)]
    return "\n".join(["| what | figure |", "| --- | --- |", *rows])


def live_row(chance: random.Random) -> dict[str, Any]:
    """A call as an application records it, without content."""
    key = hashlib.sha256(str(chance.randrange(1_000_000)).encode()).hexdigest()[:32]
    day, hour, micro = chance.randrange(1, 29), chance.randrange(24), chance.randrange(10**6)
    at = f"2026-01-{day:02d}T{hour:02d}:00:00.{micro:06d}"
    return {
        "id": f"l-{chance.getrandbits(128):032x}",
        "prompt": "support-triage",
        "env": "prod",
        "response_id": f"chatcmpl-{chance.getrandbits(96):024x}",
        "version": 12,
        "version_id": "p1-" + "a" * 32,
        "served_from": "file",
        "attribution": "carried",
        "arm": chance.choice(("stable", "canary")),
        "key_hash": key,
        "started_at": at,
        "latency_ms": round(chance.lognormvariate(6.5, 0.5), 3),
        "endpoint": "api.example.com",
        "model": "gpt-6-mini",
        "model_returned": "gpt-6-mini-2026-08-01",
        "tokens_in": chance.randrange(300, 700),
        "tokens_out": chance.randrange(20, 200),
        "finish_reason": "stop",
        "streamed": False,
        "service": "web",
        "release": "2026.11.3",
        "chars_in": chance.randrange(1200, 2800),
        "chars_out": chance.randrange(80, 800),
    }


def measured(count: int) -> dict[str, float]:
    """What is ours among the constants, on this machine."""
    from promptops.store import Store

    chance = random.Random(24)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        for _ in range(0, count, 5_000):
            store.append("live", [live_row(chance) for _ in range(min(5_000, count))])
        store.close()
        segments = (Path(folder) / "segments").glob("*.jsonl")
        size = sum(path.stat().st_size for path in segments)
        began = time.process_time()
        store.merge()
        merge = time.process_time() - began
        database = (Path(folder) / "store.duckdb").stat().st_size
        began = time.process_time()
        store.rows(
            "select arm, avg(m) from (select key_hash, arm, avg(latency_ms) m from live group by"
            " 1, 2) group by 1"
        )
        group = time.process_time() - began
        store.archive()
        archive = sum(path.stat().st_size for path in Path(folder).glob("archive/*/*.parquet"))
    return {
        "segment_bytes": size / count,
        "database_bytes": database / count,
        "parquet_bytes": archive / count,
        "merge_rows_s": count / merge,
        "group_rows_s": count / group,
    }


def main() -> None:
    """Print the table, or the constants of this machine."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--measure", type=int, metavar="ROWS", help="measure with so many rows")
    options = parser.parse_args()
    if options.measure:
        for name, value in measured(options.measure).items():
            print(f"{name:16} {value:12,.1f}")
    else:
        print(table(Constants()))


if __name__ == "__main__":
    main()

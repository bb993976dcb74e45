"""R2 and R13 for the whole lab: killed at any point and run again, a study comes to its end and
pays for nothing twice.

The kills fall anywhere: saving the versions, merging, asking, recording, scoring. Seeds are fixed;
a failing one is in the message.
"""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from promptops.store import Store
from tests.faults.lab_arena import WIDTH, Mother, calls, figures, wait_for_calls

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="lives are forked here")

EXAMPLES = 40


def one_kill(root: Path, mother: Mother, study: str, life: str, rng: random.Random) -> bool:
    """Start a life and kill it at a random point; whether it was through before."""
    pid = mother.start(study, life)
    if rng.random() < 0.5:
        wait_for_calls(root, rng.randint(1, EXAMPLES), until_s=3.0)
    time.sleep(rng.random() * 0.4)
    os.kill(pid, signal.SIGKILL)  # a zombie if it has ended: it is waited for below
    code = mother.end()
    assert code in (0, -signal.SIGKILL), f"life {life}: {mother.said()}"
    return code == 0


def killed(root: Path, kills: int, seed: int) -> tuple[int, int]:
    """(kills that hit, studies) over one folder that grows; raises AssertionError with the seed."""
    rng, hits, number, life = random.Random(seed), 0, 0, 0
    with Mother(root, EXAMPLES) as mother:
        while hits < kills:
            through = one_kill(root, mother, f"s{number}", str(life), rng)
            life += 1
            hits += not through
            number += through
            assert life < 20 * kills, f"seed {seed}: no kill hits"
        for study in range(number + 1):
            mother.start(f"s{study}", str(life))
            assert mother.end() == 0, f"seed {seed}: {mother.said()}"
            life += 1
    return hits, number + 1


def check(root: Path, kills: int, seed: int) -> None:
    hits, studies = killed(root, kills, seed)
    asked = calls(root)
    store = Store(root / ".promptops")
    wanted = {"places": 2 * EXAMPLES, "answers": 2 * EXAMPLES, "scored": 2 * EXAMPLES}
    for number in range(studies):
        assert figures(store, f"s{number}") == wanted, f"seed {seed}, study {number}"
    assert (
        store.rows("select key from runs where failure is null group by key having count(*) > 1")
        == []
    ), f"seed {seed}"
    double = (
        "select 1 from scores group by run_id, example_fingerprint, scorer, scorer_version having"
        " count(*) > 1"
    )
    assert store.rows(double) == [], f"seed {seed}"
    assert [line for line in store.verify() if not torn_end(line)] == [], f"seed {seed}"
    last = dict(reversed([(question, life) for life, question in reversed(asked)]))
    again = Counter(life for life, question in asked if last[question] != life)
    assert len(last) == 2 * EXAMPLES * studies, f"seed {seed}"
    assert max(again.values(), default=0) <= WIDTH, (
        f"seed {seed}: {again} asked again after {hits} kills"
    )
    print(
        f"\nseed {seed}: {hits} kills, {studies} studies, {len(asked) - len(last)} of {len(asked)}"
        " calls repeated"
    )


def torn_end(line: str) -> bool:
    """Whether a fault is the half record at the end of a segment whose writer was killed inside the
    write, at a page of the file: it was never acknowledged.
    """
    found = re.match(r"(.*\.jsonl) is damaged from byte [\d,]+ to ([\d,]+):", line)
    if found is None:
        return False
    size, end = Path(found[1]).stat().st_size, int(found[2].replace(",", ""))
    return end == size and size % 4096 == 0


def test_twenty_kills_at_any_point(tmp_path: Path) -> None:
    """0 lost, 0 duplicate rows, and of one kill no more calls repeated than were in flight."""
    check(tmp_path, kills=20, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(2, 12))
def test_two_hundred_kills(tmp_path: Path, seed: int) -> None:
    """The same 200 times."""
    check(tmp_path, kills=20, seed=seed)


def killed_at_each(root: Path, steps: range, *, forgets: bool = False) -> list[int]:
    """The steps behind which a killed study was not whole after it was run again: a life that dies
    behind the k-th write, and one to the end, for each k. forgets: the first such step is enough.
    """
    wanted = {"places": 2 * EXAMPLES, "answers": 2 * EXAMPLES, "scored": 2 * EXAMPLES}
    with Mother(root, EXAMPLES) as mother:
        for step in steps:
            mother.start(f"s{step}", f"{step}", dies_at=step)
            assert mother.end() == -signal.SIGKILL, mother.said()
            mother.start(f"s{step}", f"{step}-again", forgets=forgets)
            assert mother.end() == 0, mother.said()
            if forgets and figures(Store(root / ".promptops"), f"s{step}") != wanted:
                return [step]
    store = Store(root / ".promptops")
    torn = [step for step in steps if figures(store, f"s{step}") != wanted]
    assert store.verify() == []
    assert (
        store.rows("select key from runs where failure is null group by key having count(*) > 1")
        == []
    )
    return torn


def test_killed_behind_each_write(tmp_path: Path) -> None:
    """Between any two records: version, dataset, study, answers, their places, their scores; run
    again, all is there, once.
    """
    assert killed_at_each(tmp_path, range(1, 21)) == []
    asked = Counter(question for _, question in calls(tmp_path))
    assert len(asked) == 20 * 2 * EXAMPLES
    assert sum(asked.values()) - len(asked) <= 20 * WIDTH


def test_a_life_that_forgets_scores_is_noticed(tmp_path: Path) -> None:
    """The same lives, broken on purpose: some kill falls between an answer and its score."""
    assert killed_at_each(tmp_path, range(8, 14), forgets=True) != []


def test_an_interrupt_keeps_what_is_done(tmp_path: Path) -> None:
    """Ctrl-C in the script that waits: it ends within five seconds, what was answered is recorded,
    and the same script finishes it.
    """
    with Mother(tmp_path, 1200) as mother:
        pid = mother.start("s", "0")
        wait_for_calls(tmp_path, 60)
        began = time.monotonic()
        os.kill(pid, signal.SIGINT)
        assert mother.end() == 130, mother.said()
        assert time.monotonic() - began < 5.0
        first = len(calls(tmp_path))
        assert first < 2400
        store = Store(tmp_path / ".promptops")
        assert store.rows("select event from study_events order by event_at desc limit 1") == [
            ("stopped",)
        ]
        kept = figures(store, "s")
        assert kept["places"] >= first - WIDTH
        assert kept["scored"] == kept["places"]
        mother.start("s", "1")
        assert mother.end() == 0, mother.said()
    assert figures(store, "s") == {"places": 2400, "answers": 2400, "scored": 2400}
    assert len(calls(tmp_path)) - 2400 <= WIDTH


def test_two_processes_over_one_folder(tmp_path: Path) -> None:
    """Different studies at once: both come to their end, nothing is lost, doubled or asked
    twice.
    """
    with Mother(tmp_path, 150) as one, Mother(tmp_path, 150) as two:
        one.start("a", "a")
        two.start("b", "b")
        assert one.end() == 0, one.said()
        assert two.end() == 0, two.said()
    store = Store(tmp_path / ".promptops")
    assert [figures(store, name) for name in "ab"] == [
        {"places": 300, "answers": 300, "scored": 300}
    ] * 2
    assert len(calls(tmp_path)) == 600
    assert store.rows("select count(*) from runs") == [(600,)]
    assert store.verify() == []

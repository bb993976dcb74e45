"""An equal question finds its answer wherever it was recorded, and merges nothing of its own to
find it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptops.dataset import Dataset
from promptops.dataset.example import Example
from promptops.run import Run, new_id, utc
from promptops.scorers import contains, equals
from promptops.store import Store, key_hashes, recent_runs
from promptops.store.database import Database
from promptops.study.records import find_runs, keep_runs, known_runs

OTHER = """
import sys
from promptops.lab import Lab
lab = Lab(sys.argv[1], models={"m": lambda item: "theirs"})
lab.prompt("x")[1](item=sys.argv[2])
"""


def run(key: str, **changes: Any) -> Run:
    first = Run(
        new_id(), key, "", "p1-a", "m", "e", "model", "1", "f", 0, "{}", "A", started_at=utc()
    )
    return replace(first, **changes)


@pytest.fixture
def merges(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often the segments were merged to read."""
    found: list[int] = []
    real = Database.writing

    def writing(self: Database) -> Any:
        found.append(1)
        return real(self)

    monkeypatch.setattr(Database, "writing", writing)
    return found


def test_asking_merges_once_and_no_more(make_lab: Callable[..., Any], merges: list[int]) -> None:
    """However many questions follow each other, new ones and known ones."""
    version = make_lab(models={"m": lambda item: "A"}).prompt("x").save("q {{item}}", model="m")
    version(item="0")
    version(item="1")
    before = len(merges)
    for turn in range(5):
        assert not version(item=f"new {turn}").reused
        assert version(item=f"new {turn}").reused
    assert len(merges) == before <= 1


def test_answers_of_another_process_are_known(make_lab: Callable[..., Any]) -> None:
    """Also those that it recorded a moment ago, after this one began."""
    lab = make_lab(models={"m": lambda item: "mine"})
    version = lab.prompt("x").save("q {{item}}", model="m")
    version(item="0")
    subprocess.run([sys.executable, "-c", OTHER, str(lab.project.root), "1"], check=True)
    keys = lab.store.frame("select key from runs").key.tolist()
    subprocess.run([sys.executable, "-c", OTHER, str(lab.project.root), "2"], check=True)
    every = lab.store.frame("select key from runs").key.tolist()
    assert len(keys) == 2
    assert len(every) == 3
    assert {found.output for found in known_runs(lab.store, every).values()} == {"mine", "theirs"}


def test_what_falls_out_of_memory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory is bounded; the database has the rest by then."""
    monkeypatch.setattr(recent_runs, "MOST", 4)
    store = Store(tmp_path / "s")
    store.append("versions", [{"id": "p1-a", "prompt": ""}])
    keep_runs(store, [run("k1:0")], [])
    assert store.rows("select count(*) from runs") == [(1,)]
    keep_runs(store, [run(f"k1:{n}") for n in range(1, 10)], [])
    assert len(find_runs(store, [f"k1:{n}" for n in range(10)])) == 10
    assert find_runs(store, ["k1:none"]) == {}


def test_a_failure_of_the_infrastructure_is_no_answer(tmp_path: Path) -> None:
    """A model's own failure is one."""
    store = Store(tmp_path / "s")
    keep_runs(store, [run("k1:a", failure="timeout_read"), run("k1:b", failure="refusal")], [])
    assert set(find_runs(store, ["k1:a", "k1:b"])) == {"k1:b"}


def test_a_purged_answer_is_not_known(tmp_path: Path) -> None:
    """By this process, and by another while this one's segment is open."""
    store = Store(tmp_path / "s")
    keep_runs(store, [run("k1:a"), run("k1:b", example_id="2")], [])
    store.purge(["1"])
    assert set(known_runs(store, ["k1:a", "k1:b"])) == {"k1:b"}
    keep_runs(store, [run("k1:c", example_id="3"), run("k1:d", example_id="4")], [])
    other = "import sys; from promptops.store import Store; Store(sys.argv[1]).purge(['3'])"
    subprocess.run([sys.executable, "-W", "ignore", "-c", other, str(store.folder)], check=True)
    assert set(known_runs(store, ["k1:b", "k1:c", "k1:d"])) == {"k1:b", "k1:d"}


def test_a_new_question_opens_the_file_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its keys are read, until it changes: what others record or merge, and what falls out of
    this process's memory, is found all the same.
    """
    monkeypatch.setattr(recent_runs, "MOST", 4)
    opened, real = list[int](), Database.reading

    def reading(self: Database, **options: Any) -> Any:
        opened.append(1)
        return real(self, **options)

    monkeypatch.setattr(Database, "reading", reading)
    others, store = Store(tmp_path / "s"), Store(tmp_path / "s")
    keep_runs(others, [run(f"k1:old{n}") for n in range(50)], [])
    others.close()

    def counted(*keys: str) -> tuple[int, set[str]]:
        """(times that the file was opened, keys that were found)."""
        before = len(opened)
        found = set(find_runs(store, keys))
        return len(opened) - before, found

    def read() -> None:
        for turn in range(6):
            assert counted(f"k1:none{turn}")[1] == set()
        assert counted("k1:never") == (0, set())

    read()
    assert counted("k1:never", "k1:old7") == (1, {"k1:old7"})
    keep_runs(others, [run("k1:theirs")], [])
    assert counted("k1:theirs")[1] == {"k1:theirs"}
    read()
    keep_runs(others, [run("k1:merged")], [])
    others.merge()
    assert counted("k1:merged")[1] == {"k1:merged"}
    read()
    keep_runs(store, [run(f"k1:mine{n}") for n in range(9)], [])
    assert counted("k1:mine0")[1] == {"k1:mine0"}
    read()
    monkeypatch.setattr(key_hashes, "MOST", 3)
    keep_runs(others, [run("k1:last")], [])
    for turn in range(9):
        assert counted(f"k1:few{turn}")[1] == set()
    assert counted("k1:few")[0] == 1


def test_known_answers_are_scored_before_they_are_merged(make_lab: Callable[..., Any]) -> None:
    """A second study of the same questions by another scorer, of runs that only this process's
    segment has.
    """
    lab = make_lab(models={"m": lambda item: "A"})
    version = lab.prompt("x").save("q {{item}}", model="m")
    data = Dataset.of([Example(str(n), {"item": str(n)}, "A") for n in range(5)])
    version(item="9")
    lab.evaluate([version], data, [equals()])
    counted = "select count(*) from scores where scorer = ?"
    for number in range(2):
        scorer = contains(f"word {number}")
        assert lab.evaluate([version], data, [scorer]).status == "finished"
        assert lab.store.rows(counted, [scorer.name]) == [(5,)]

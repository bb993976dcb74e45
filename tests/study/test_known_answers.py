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

from promptops.run import Run, new_id, utc
from promptops.store import Store, recent_runs
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

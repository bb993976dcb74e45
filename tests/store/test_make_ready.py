"""What the first look needs can be made before: it is the same then, and nothing shows of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals
from promptops.store import Store, access, database, renewal
from promptops.store import make_ready as make_ready_module
from promptops.store.connect import READERS, WRITERS
from promptops.store.make_ready import make_ready


@pytest.fixture(autouse=True)
def unused() -> Iterator[None]:
    """As in a process that has opened no file yet."""
    for instances, read_only in ((READERS, True), (WRITERS, False)):
        instances.append(type(instances[-1])(read_only=read_only))
    yield
    READERS.pop()
    WRITERS.pop()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An entry for each time that the tables are made."""
    made: list[str] = []

    def create(con: Any) -> None:
        made.append("tables")
        renewal.create(con)

    for module in (make_ready_module, access, database):
        monkeypatch.setattr(module, "create", create)
    return made


def fill(store: Store) -> None:
    store.append("runs", [{"id": "r-1", "started_at": "2026-01-01T00:00:00"}])


def test_the_first_look_makes_no_tables_then(tmp_path: Path, made: list[str]) -> None:
    store = Store(tmp_path / "store")
    make_ready(store.access.main.path)
    assert made == ["tables"]
    assert not store.folder.exists()
    fill(store)
    assert store.rows("select id from runs") == [("r-1",)]
    assert made == ["tables"]
    assert store.verify() == []
    comments = "select count(*) from duckdb_columns() where comment is not null"
    assert store.rows(f"{comments} and database_name = 'store'")[0][0] > 200


def test_a_file_that_is_there_needs_no_tables(tmp_path: Path, made: list[str]) -> None:
    store = Store(tmp_path / "store")
    fill(store)
    store.merge()
    made.clear()
    WRITERS.append(type(WRITERS[-1])(read_only=False))
    make_ready(store.access.main.path)
    WRITERS.pop()
    assert made == []
    assert store.rows("select id from runs") == [("r-1",)]


def test_a_look_meanwhile_is_let_alone(tmp_path: Path) -> None:
    """A file that is read at this moment stays attached."""
    store = Store(tmp_path / "store")
    fill(store)
    with store.access.reading("") as con:
        make_ready(store.access.main.path)
        assert con.execute("select id from runs").fetchall() == [("r-1",)]
    assert store.rows("select id from runs") == [("r-1",)]


def test_what_cannot_be_prepared_is_left_to_the_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(con: Any) -> None:
        raise OSError("no memory left")

    store = Store(tmp_path / "store")
    with monkeypatch.context() as broken:
        broken.setattr(make_ready_module, "create", fail)
        make_ready(store.access.main.path)
    fill(store)
    assert store.rows("select id from runs") == [("r-1",)]


def test_a_study_prepares_it_beside_its_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[Path] = []
    once = threading.Event()

    def prepare(path: Path) -> None:
        make_ready(path)
        prepared.append(path)
        once.set()

    monkeypatch.setattr(make_ready_module, "make_ready", prepare)
    lab = Lab(tmp_path, models={"m": ScriptedModel(lambda request: "yes")})
    version = lab.prompt("p").save("{{x}}", model="m")
    for _ in range(2):  # what is done already needs none
        lab.evaluate([version], Dataset.read([{"x": "a", "expected": "yes"}]), [equals()])
        assert once.wait(30)
        lab.project.close()
    assert prepared == [lab.store.access.main.path]
    assert lab.store.rows("select count(*) from runs") == [(1,)]

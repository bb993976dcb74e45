"""One row of `studies` that nobody can read is shown as that; the studies beside it are as they
were, and a file that holds such a row is not taken in.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import StoreError, StudyError
from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import contains_any
from promptops.spool.lines import meta_line
from promptops.store.segment_records import encode

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
ID = "s1-" + "e" * 32


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd") / "lab"
    lab = Lab(folder, models={"m": ScriptedModel(lambda request: "1")})
    version = lab.prompt("a").save("{{x}}", model="m")
    data = Dataset.read([{"x": str(n)} for n in range(4)])
    lab.evaluate([version], data, [contains_any("1")], name="good")
    lab.store.close()
    return folder


@pytest.fixture
def lab(whole: Path, tmp_path: Path) -> Lab:
    shutil.copytree(whole, tmp_path / "lab")
    return Lab(tmp_path / "lab", models={"m": ScriptedModel(lambda request: "1")})


def odd_designs(lab: Lab) -> list[str]:
    good = json.loads(lab.store.rows("select design from studies")[0][0])
    arm = good["arms"][0]
    changed: list[dict[str, Any]] = [
        {"arms": []},
        {"arms": [None]},
        {"arms": {"a": 1}},
        {"arms": [{**arm, "number": "x"}]},
        {"arms": [{**arm, "model": [1]}]},
        {"repeats": "many"},
        {"repeats": 1e300},
        {"repeats": -1},
        {"split": ["train"]},
        {"scorers": {"a": 1}},
        {"scorers": [{"name": "x", "version": "1", "needs": 7}]},
        {"dataset": {"fingerprint": "d", "name": "n", "n": "x"}},
        {"dataset": None},
    ]
    return [
        *("not json", "null", "[]", "7", '"x"', "{}", "[" * 5_000 + "]" * 5_000),
        *(json.dumps({**good, **part}) for part in changed),
    ]


def row(design: str) -> dict[str, Any]:
    """Newer than the good one, and of its name."""
    created = "2030-01-01T00:00:00"
    return {"id": ID, "name": "good", "prompt": "a", "design": design, "created_at": created}


def test_an_unreadable_study_stands_beside_the_others(lab: Lab) -> None:
    designs = odd_designs(lab)
    rows = [{**row(design), "id": f"s1-{n:032}"} for n, design in enumerate(designs)]
    lab.project.store.append("studies", rows)
    frame = lab.studies.frame
    assert (frame["status"] == "unreadable").sum() == len(designs)
    assert frame.iloc[-1]["status"] == "finished"
    assert len(list(lab.studies)) == 1
    assert lab.study("good").scores()["value"].count() == 4
    assert "unreadable" in lab.studies._repr_html_()
    assert lab.dashboard() is not None
    found = lab.store.verify()
    assert sum("cannot be read" in line for line in found) == len(designs)
    with pytest.raises(StudyError, match="the other studies are not affected"):
        lab.study("s1-" + "0" * 32)
    for each in rows:
        lab.store.purge(study=each["id"])
        break
    assert sum("cannot be read" in line for line in lab.store.verify()) == len(designs) - 1


def test_a_file_with_an_odd_study_is_not_taken_in(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "x.export"
    for design in odd_designs(lab):
        event = {"study_id": ID, "event_at": "2026-01-01T00:00:00", "event": "began"}
        rows = encode("study_events", [event], bytes) + encode("studies", [row(design)], bytes)
        file.write_bytes(meta_line() + rows)
        with pytest.raises(StoreError, match="is not taken in: the row s1-e"):
            lab.store.import_(file)
    assert lab.store.rows("select count(*) from studies") == [(1,)]
    assert lab.store.rows("select count(*) from study_events where study_id = ?", [ID]) == [(0,)]


@pytest.mark.parametrize(
    ("table", "odd"),
    [
        ("runs", {"request": "{"}),
        ("runs", {"tool_calls": "[" * 300 + "]" * 300}),
        ("runs", {"tokens_in": -4}),
        ("runs", {"started_at": "0001-01-01T00:00:00"}),
        ("runs", {"started_at": "9999-01-01T00:00:00"}),
        ("versions", {"document": "nothing"}),
        ("examples", {"position": -1}),
        ("scores", {"value": 1e9}),
        ("scores", {"value": -0.5}),
    ],
)
def test_an_odd_row_of_any_table_is_not_taken_in(
    lab: Lab, tmp_path: Path, table: str, odd: dict[str, Any]
) -> None:
    (tmp_path / "other").mkdir()
    names = lab.store.rows(f"select * from {table} limit 1")[0]
    from promptops.store.schema import TABLES

    known = dict(zip(TABLES[table].names, names, strict=True))
    first = TABLES[table].key[0]
    line = encode(table, [{**known, **odd, first: "odd"}], bytes)
    (tmp_path / "x.export").write_bytes(meta_line() + line)
    with pytest.raises(StoreError, match="not one that a store"):
        lab.store.import_(tmp_path / "x.export")
    (tmp_path / "x.export").write_bytes(meta_line() + encode(table, [{**known, first: "o"}], bytes))
    assert lab.store.import_(tmp_path / "x.export") == {table: 1}

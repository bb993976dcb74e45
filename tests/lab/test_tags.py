"""S4: pickles and type tags are never opened: what is no JSON, CSV or Parquet is refused or damage,
and a tag in JSON is data like any other.
"""

from __future__ import annotations

import json
import os
import pickle
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import PromptOpsError, RegistryCorrupt, RegistryError, StoreError, StudyError
from promptops.evidence import FOLDER, Evidence
from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.registry.loader import Loader
from promptops.scorers import json_equals
from promptops.store import Store

TAGS: list[dict[str, Any]] = [
    {"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {"command": "touch pwned"}},
    {
        "py/object": "os.system",
        "py/reduce": [{"py/function": "os.system"}, {"py/tuple": ["touch pwned"]}],
    },
    {"__class__": "subprocess.Popen", "__module__": "subprocess", "args": ["touch", "pwned"]},
    {"$type": "System.Diagnostics.Process", "!!python/object/apply:os.system": ["touch pwned"]},
]


class Bomb:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.fixture(params=[0, 5], ids=["of letters", "of bytes"])
def bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Callable[[], bytes]:
    """A pickle that leaves a folder behind; at the end there must be none, nor a file that a tag
    asked for.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROMPTOPS_CACHE", str(tmp_path / "cache"))
    return lambda: pickle.dumps(Bomb(tmp_path / "pwned"), protocol=request.param)


def copies_written() -> None:
    """They are written beside the request that read the registry."""
    for thread in threading.enumerate():
        if thread.name == "promptops-copy":
            thread.join()


def untouched(tmp_path: Path) -> bool:
    return not list(tmp_path.rglob("pwned"))


def test_the_bomb_goes_off_where_it_is_opened(tmp_path: Path, bomb: Callable[[], bytes]) -> None:
    """The proof of the tests below: whoever unpickles is noticed."""
    pickle.loads(bomb())
    assert not untouched(tmp_path)


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_in_a_row_an_answer_or_a_registry_is_data(
    tmp_path: Path, make_lab: Callable[..., Lab], bomb: Any, tag: dict[str, Any]
) -> None:
    """As a dataset's value, as a model's answer that is scored, as a tool's arguments, through
    store, rescoring and report; and in a registry's entry.
    """
    text = json.dumps(tag)
    lab = make_lab(models={"m": ScriptedModel(lambda request: text)})
    version = lab.prompt("p").save("Echo {{x}}", model="m")
    file = tmp_path / "rows.jsonl"
    file.write_text(
        json.dumps({"id": "a", "x": text, "expected": tag, "metadata": tag}) + "\n",
        encoding="utf-8",
    )
    data = Dataset.read(file)
    study = lab.evaluate([version], data, [json_equals()])
    assert study.scores()["passed"].tolist() == [True]
    assert study.runs()["output"].tolist() == [text]
    reread = Lab(lab.project.root, models={}).study(study.name).review.recorded
    assert reread.dataset[0].expected == tag
    study.report(tmp_path / "report.html")
    lab.promote(version, env="dev", reason="an experiment")
    path = lab.project.root / "promptops.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["prompts"]["p"]["versions"][0] |= tag
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(RegistryError):
        Loader(path).get("p", "dev")
    assert untouched(tmp_path)


@pytest.mark.parametrize(
    "ending",
    ["pkl", "pickle", "joblib", "npy", "csv", "tsv", "jsonl", "json", "parquet", "xlsx", "txt"],
)
def test_a_pickle_is_no_dataset(
    tmp_path: Path, make_lab: Callable[..., Lab], bomb: Callable[[], bytes], ending: str
) -> None:
    """Whatever its file is called: refused before a call is made, or the words of one cell, and
    never run.
    """
    asked: list[Any] = []
    lab = make_lab(models={"m": ScriptedModel(lambda request: asked.append(request) or "ok")})
    version = lab.prompt("p").save("Echo {{x}}", model="m")
    path = tmp_path / f"d.{ending}"
    path.write_bytes(bomb())
    with pytest.raises(PromptOpsError) as caught:
        lab.evaluate([version], str(path), [json_equals()])
    assert "\n" not in str(caught.value)
    assert not asked
    assert untouched(tmp_path)


def rows(store: Store) -> list[Any]:
    return store.rows("select event from study_events order by event")


def filled(folder: Path) -> Store:
    store = Store(folder)
    store.append(
        "study_events",
        [{"study_id": "s", "event_at": "2026-01-01T00:00:00", "event": str(n)} for n in range(5)],
    )
    store.close()
    return store


@pytest.mark.parametrize("what", ["segment", "archive", "manifest", "database", "purged"])
def test_a_pickle_in_a_files_place_is_damage(
    tmp_path: Path, bomb: Callable[[], bytes], what: str
) -> None:
    """In the store: a segment, a batch of the archive, its list, the DuckDB file, the list of what
    is hidden.
    """
    folder = tmp_path / "s"
    store = filled(folder)
    if what in ("archive", "manifest"):
        assert store.archive() == 1
        suffix = ".parquet" if what == "archive" else ".json"
        paths = [path for path in (folder / "archive").rglob("*") if path.suffix == suffix]
    else:
        store.merge()
        paths = {
            "segment": list((folder / "segments").iterdir()),
            "database": [folder / "store.duckdb"],
            "purged": [folder / "purged.json"],
        }[what]
    assert paths
    for path in paths:
        path.write_bytes(bomb())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        later = Store(folder)
        try:
            found = rows(later)
            said = later.verify()
        except (StoreError, ValueError) as error:
            found, said = [], [str(error)]
        later.close()
    assert untouched(tmp_path)
    assert said or len(found) == 5  # what is lost is told


def test_a_pickle_is_no_export(tmp_path: Path, bomb: Callable[[], bytes]) -> None:
    """Nor is one whose lines are exports but for one."""
    store = filled(tmp_path / "s")
    (tmp_path / "bomb.export").write_bytes(bomb())
    with pytest.raises(StoreError):
        store.import_(tmp_path / "bomb.export")
    store.export(tmp_path / "good.export")
    (tmp_path / "half.export").write_bytes((tmp_path / "good.export").read_bytes() + bomb())
    with pytest.raises(StoreError):
        Store(tmp_path / "t").import_(tmp_path / "half.export")
    assert untouched(tmp_path)
    store.close()


def test_a_pickle_is_no_file_of_labels(
    tmp_path: Path, make_lab: Callable[..., Lab], bomb: Callable[[], bytes]
) -> None:
    """What a reviewer sends back is one more door: alone, and as a line among good ones."""
    lab = make_lab(models={})
    for name in ("labels.jsonl", "labels.json"):
        for before in (b"", b'{"promptops": "labels"}\n'):
            (tmp_path / name).write_bytes(before + bomb())
            with pytest.raises((StoreError, StudyError)):
                lab.store.import_(tmp_path / name)
    assert untouched(tmp_path)


def test_a_pickle_in_the_evidences_place_is_named(
    tmp_path: Path, bomb: Callable[[], bytes]
) -> None:
    """The bundle that a deployment cites."""
    (tmp_path / FOLDER).mkdir()
    cited = "e" * 32
    (tmp_path / FOLDER / f"{cited}.json").write_bytes(bomb())
    with pytest.raises(RegistryCorrupt, match="is not JSON"):
        Evidence.read(tmp_path / "promptops.json", cited)
    assert untouched(tmp_path)


def test_a_pickle_in_the_saved_copys_place_is_nothing(
    tmp_path: Path, make_lab: Callable[..., Lab], bomb: Callable[[], bytes]
) -> None:
    """The cache of a cold start: where the registry is gone and the copy is poisoned, the
    application is told that there is none.
    """
    lab = make_lab(models={"m": ScriptedModel(lambda request: "ok")})
    lab.promote(lab.prompt("p").save("Echo {{x}}", model="m"), env="dev", reason="first")
    path = lab.project.root / "promptops.json"
    assert Loader(path).get("p", "dev").number == 1
    copies_written()
    copies = [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]
    assert copies
    path.unlink()
    assert Loader(path).get("p", "dev").number == 1  # from the copy
    for file in copies:
        file.write_bytes(bomb())
    with pytest.raises(RegistryError):
        Loader(path).get("p", "dev")
    assert untouched(tmp_path)


def test_a_pickle_in_the_registrys_place_leaves_the_last_good_one(
    tmp_path: Path, make_lab: Callable[..., Lab], bomb: Callable[[], bytes]
) -> None:
    """An application goes on with what it has; a fresh one has the last good copy, and both say
    what is wrong.
    """
    lab = make_lab(models={"m": ScriptedModel(lambda request: "ok")})
    version = lab.prompt("p").save("Echo {{x}}", model="m")
    lab.promote(version, env="dev", reason="first")
    path = lab.project.root / "promptops.json"
    loader = Loader(path)
    assert loader.get("p", "dev").number == 1
    copies_written()
    path.write_bytes(bomb())
    assert loader.get("p", "dev").number == 1
    fresh = Loader(path)
    assert fresh.get("p", "dev").number == 1
    assert all("JSON" in str(each.health()) for each in (loader, fresh))
    assert untouched(tmp_path)

"""`promptops doctor` runs every check of the store, prints what each one finds, and ends with 1."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptops.cli.__main__ import main
from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel

CHECKS = [
    "promptops.store.repair.link_faults",
    "promptops.store.repair.hidden_faults",
    "promptops.store.repair.check_ends",
    "promptops.store.repair.check_segments",
    "promptops.store.repair.check_archive",
    "promptops.store.repair.check_database",
    "promptops.store.integrity._compared",
    "promptops.store.integrity._versions",
    "promptops.store.integrity._examples",
    "promptops.store.integrity._orphans",
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one recorded answer; the working directory."""
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    lab = Lab(tmp_path, models={"m": ScriptedModel(["yes"], "m")})
    assert lab.prompt("p").save("q {{t}}", model="m")(t="a").text == "yes"
    lab.project.close()
    return tmp_path


def doctor(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", *words])
    assert isinstance(ended.value.code, int)
    return ended.value.code, capsys.readouterr().out


def test_a_sound_store_is_called_sound_with_its_rows(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = doctor(capsys)
    assert code == 0
    assert printed.startswith("the store is sound:\n")
    assert [line.split() for line in printed.splitlines() if "runs" in line] == [["runs", "1"]]


@pytest.mark.parametrize("words", [[], ["--repair"], ["--json"]])
def test_a_project_without_a_store_is_sound(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
    words: list[str],
) -> None:
    """No warning, and nothing is written."""
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    code, printed = doctor(capsys, *words)
    assert (code, recwarn.list) == (0, [])
    assert "the store is sound" in printed or json.loads(printed)["findings"] == []
    assert [path.name for path in tmp_path.iterdir()] == ["pyproject.toml"]


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_runs_and_its_finding_is_printed(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, check: str
) -> None:
    def finding(*_: object) -> Iterator[str]:
        yield f"{check} found this."

    monkeypatch.setattr(check, finding)
    code, printed = doctor(capsys)
    assert (code, printed) == (1, f"found: {check} found this.\n")
    code, printed = doctor(capsys, "--json")
    assert code == 1
    assert json.loads(printed)["findings"] == [f"{check} found this."]


DAMAGES = {
    "update runs set output = 'no'": "1 row of runs has other values than were recorded",
    "update runs set id = 'r-forged'": "1 row of runs is missing",
    "update versions set document = '{}'": "1 row of versions has other values",
}


@pytest.mark.parametrize("statement", DAMAGES)
@pytest.mark.filterwarnings("ignore:.*set aside.*")
def test_a_real_damage_is_named_and_repaired(
    project: Path, capsys: pytest.CaptureFixture[str], statement: str
) -> None:
    import duckdb

    assert doctor(capsys)[0] == 0  # which merges what was recorded
    with duckdb.connect(str(project / ".promptops" / "store.duckdb")) as con:
        con.execute(statement)
    code, printed = doctor(capsys)
    assert (code, DAMAGES[statement] in printed) == (1, True), printed
    code, printed = doctor(capsys, "--repair")
    assert code == 0, printed
    assert printed.startswith("repaired: ")
    assert "the store is sound" in printed

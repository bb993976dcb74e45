"""S25: runs that came in with a file are that file's word: never reused as a model's answers unless
that is asked for, and named wherever a verdict rests on them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals

ROWS = [{"id": str(n), "x": f"q{n}", "expected": "yes"} for n in range(60)]
DATA = Dataset.read(ROWS)


def lab_at(folder: Path, answer: str, calls: list[Any]) -> Lab:
    model = ScriptedModel(lambda request: calls.append(1) or answer, label="m")
    return Lab(folder, models={"m": model})


@pytest.fixture(scope="module")
def forged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which a "model" of the attacker's says yes to everything."""
    folder = tmp_path_factory.mktemp("forged")
    lab = lab_at(folder / "lab", "yes", [])
    new = lab.prompt("t").save("new {{x}}", model="m")
    lab.evaluate([new], DATA, [equals()], name="forged")
    lab.store.export(folder / "x.export")
    lab.store.close()
    return folder / "x.export"


@pytest.fixture
def victim(forged: Path, tmp_path: Path) -> tuple[Lab, list[Any]]:
    calls: list[Any] = []
    lab = lab_at(tmp_path / "lab", "no", calls)
    lab.store.import_(forged)
    return lab, calls


def test_forged_answers_are_not_a_models(victim: tuple[Lab, list[Any]]) -> None:
    """The same study asked here makes every call, and shows what the model says here."""
    lab, calls = victim
    new = lab.prompt("t").save("new {{x}}", model="m")
    assert lab.estimate([new], DATA, [equals()]).calls == 60
    study = lab.evaluate([new], DATA, [equals()])
    assert len(calls) == 60
    [arm] = study.recorded.arms()
    [found] = arm.scores.values()
    assert list(found.mean) == [0.0] * 60
    assert new(x="q0").text == "no"
    assert lab.evaluate([new], DATA, [equals()]).status == "finished"
    assert len(calls) == 60


def test_a_verdict_says_what_came_from_elsewhere(victim: tuple[Lab, list[Any]]) -> None:
    """The file's own study: its comparison and its evidence name the file and count the runs."""
    lab, calls = victim
    study = lab.study("forged")
    new = lab.prompt("t").save("new {{x}}", model="m")
    made = lab.promote(new, env="prod", study=study)
    if not made:
        made = lab.promote(new, env="prod", study=study, force=True, reason="a test")
    (bundle,) = (lab.project.root / "promptops.evidence").glob("*.json")
    assert "60 of 60 runs of v1 came from elsewhere (x.export)" in bundle.read_text()
    assert calls == []


def test_a_store_of_ones_own_may_be_reused(victim: tuple[Lab, list[Any]]) -> None:
    lab, calls = victim
    lab.store.reuse_imported = True
    new = lab.prompt("t").save("new {{x}}", model="m")
    assert lab.evaluate([new], DATA, [equals()]).scores()["value"].mean() == 1
    assert calls == []

"""Balanced accuracy and recall with repeats, asked again, within a tag, and as what promotes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from promptops.cli.__main__ import main
from promptops.errors import StatisticsError
from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.policy import Policy
from promptops.scorers import equals

MakeLab = Callable[..., Lab]
N = 60
BALANCED = "balanced_accuracy"


def gold(i: int) -> str:
    return "red" if i % 3 else "green"


ROWS = [{"id": f"e{i}", "q": str(i), "expected": gold(i), "tags": [f"t{i % 4}"]} for i in range(N)]


def study_of(make_lab: MakeLab, repeats: int) -> tuple[Any, ...]:
    """v1 is right on half of its answers, v2 on nine of ten, and repeats differ."""
    asked = itertools.count()

    def says(call: Any) -> str:
        how, number = call.request["messages"][-1]["content"].split()
        luck = (next(asked) * 7919 + int(number) * 104729) % 1000 / 1000
        right = luck < (0.5 if how == "half" else 0.9)
        return gold(int(number)) if right else {"red": "green", "green": "red"}[gold(int(number))]

    lab = make_lab(models={"m": ScriptedModel(says)})
    prompt = lab.prompt("w")
    versions = [prompt.save(f"{how} {{{{q}}}}", model="m") for how in ("half", "good")]
    return lab, lab.evaluate(versions, ROWS, [equals()], repeats=repeats), *versions


def recalls(study: Any, arm: str, rows: Any = None) -> float:
    """The mean over labels of the share of right answers, from the recorded rows."""
    runs = pd.DataFrame(study.runs(10**5))
    runs = runs[(runs.arm == arm) & runs.example_id.map(lambda id_: rows is None or id_ in rows)]
    golden = runs.example_id.map(lambda id_: gold(int(id_[1:])))
    return float((runs.output == golden).groupby(golden).mean().mean())


@pytest.mark.parametrize("repeats", [1, 2, 3, 5])
def test_repeats_count_by_their_shares(make_lab: MakeLab, repeats: int) -> None:
    """The figure in the notes, in the tables and in the comparison is that of the rows, and not
    that of a vote among the repeats.
    """
    _, study, v1, v2 = study_of(make_lab, repeats)
    found = study.compare(candidate=v2, baseline=v1)
    figures = found[BALANCED]
    for arm, value in (("v1", figures.baseline), ("v2", figures.candidate)):
        assert value == pytest.approx(recalls(study, arm))
        assert found.classes.balanced[arm] == pytest.approx(value)
        counted = found.classes.confusion_frame(arm).to_numpy().sum()
        assert counted == pytest.approx(N)
    assert f"{100 * figures.candidate:.1f} %" in " ".join(found.notes)


def test_a_slice_has_its_own_balanced_accuracy(make_lab: MakeLab) -> None:
    """Weighed by all examples, a slice could be right on more than all of its examples."""
    _, study, v1, v2 = study_of(make_lab, 1)
    found = study.compare(candidate=v2, baseline=v1, primary=BALANCED)
    by_tag = found.slices().frame
    for tag in ("t0", "t1", "t2", "t3"):
        ids = {row["id"] for row in ROWS if tag in row["tags"]}
        assert by_tag.loc[tag].candidate == pytest.approx(recalls(study, "v2", ids))
        assert by_tag.loc[tag].baseline == pytest.approx(recalls(study, "v1", ids))
    assert set(found.flips().candidate) <= {0.0, 1.0}
    with pytest.raises(StatisticsError, match="equals"):
        found.pass_at(1)


@pytest.mark.parametrize("repeats", [1, 2])
def test_what_balanced_accuracy_promotes_is_verified(
    make_lab: MakeLab, tmp_path: Path, repeats: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own evidence is in shape, and every figure is the same when it is computed again."""
    lab, study, v1, v2 = study_of(make_lab, repeats)
    lab.prompt("w").policy = Policy(primary=BALANCED, accept_constant="v1 is only the first")
    for version in (v1, v2):
        lab.promote(version, env="prod", study=study)
    with pytest.raises(SystemExit) as ended:
        main(["registry", "check", "--registry", str(next(tmp_path.rglob("promptops.json")))])
    shown = capsys.readouterr()
    assert ended.value.code in (None, 0), shown
    assert "all the same" in shown.out


def test_asked_again_the_answers_are_pooled(make_lab: MakeLab) -> None:
    """Each try of the same pair is not a fresh chance of its own."""
    lab, study, v1, v2 = study_of(make_lab, 1)
    lab.prompt("w").policy = Policy(primary=BALANCED)
    study.compare(candidate=v2, baseline=v1)
    for times in (2, 3):
        again = lab.evaluate([v1, v2], ROWS, [equals()], fresh=True, name=f"again {times}")
        found = again.compare(candidate=v2, baseline=v1)
        assert found[BALANCED].repeats == times
        assert found.classes.balanced["v2"] == pytest.approx(found[BALANCED].candidate)

"""Law: a notebook that runs again leaves the registry byte for byte as it is; what was refused
stays refused (G14).
"""

from __future__ import annotations

import random
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops import NotDeployed, Refused
from promptops.errors import PromptOpsError
from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.policy import Policy
from promptops.scorers import equals

MakeLab = Callable[..., Lab]
# Of ten, by the first letter of the wording. b and c tie: each is promoted over a, and neither over
# the other.
RATES = {"a": 4, "b": 9, "c": 9, "d": 5}
ROWS = [{"id": f"e{n}", "q": str(n), "expected": "y"} for n in range(60)]


def answer(request: dict[str, Any]) -> str:
    text = request["messages"][-1]["content"]
    return "y" if int(text.split()[-1]) % 10 < RATES[text[0]] else "n"


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    return make_lab(models={"m": ScriptedModel(answer)})


def measured(
    lab: Lab, name: str, letters: str, rows: int = 60, **options: Any
) -> tuple[list[Any], Any]:
    """The versions of a prompt, one for each letter, and a study of them."""
    saved = [lab.prompt(name).save(letter + " {{q}}", model="m") for letter in letters]
    return saved, lab.evaluate(saved, Dataset.read(ROWS[:rows]), [equals()], **options).wait()


def tried(step: Callable[[], Any]) -> str:
    """What a cell comes to: done, held or refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            done = step()
        except Refused as error:
            return f"refused: {error}"
    return "done" if done is not None and done.changed else "held"


def registry(lab: Lab) -> bytes:
    return Path(lab.project.registry.path).read_bytes()


# -- what was refused


def incident(lab: Lab) -> tuple[list[Any], Any, list[Callable[[], Any]]]:
    """a, then c, b refused against c, c rolled back: the cells of a notebook, run once."""
    (a, b, c), study = measured(lab, "p", "abc")
    cells: list[Callable[[], Any]] = [
        lambda: lab.promote(a, env="prod", study=study),
        lambda: lab.promote(c, env="prod", study=study),
        lambda: lab.promote(b, env="prod", study=study),
        lambda: lab.rollback(c, env="prod", reason="incident"),
    ]
    said = [tried(cell) for cell in cells]
    assert [text.split(":")[0] for text in said] == ["done", "done", "refused", "done"]
    return [a, b, c], study, cells


def test_what_was_refused_stands_when_the_notebook_runs_again(lab: Lab) -> None:
    """b was refused against c; with c rolled back, the same evidence does not promote b over a; the
    refusal says why and what helps.
    """
    _, _, cells = incident(lab)
    before = registry(lab)
    again = [tried(cell) for cell in cells]
    kept = lab.store.rows("select * from verdicts order by id")
    assert [tried(cell) for cell in cells] == again
    assert (
        lab.store.rows("select * from verdicts order by id") == kept
    )  # a refusal is recorded once
    assert registry(lab) == before
    assert [text.split(":")[0] for text in again] == ["held", "held", "refused", "held"]
    assert "v2 was refused in prod at" in again[2]
    assert "a refusal holds until something new is measured" in again[2]
    assert 'override="reason" asks once more' in again[2]


def test_a_refusal_stands_in_another_kernel_for_a_canary_and_for_the_newest_study(
    lab: Lab, make_lab: MakeLab
) -> None:
    """It is in the store, not in the process; the same study without its name and with a share is
    the same evidence.
    """
    incident(lab)
    other = make_lab(models={"m": ScriptedModel(answer)})
    (_, b, _), study = measured(other, "p", "abc")
    before = registry(other)
    for options in ({"study": study}, {}, {"study": study, "percent": 10}):
        assert "a refusal holds" in tried(
            lambda options=options: other.promote(b, env="prod", **options)
        )
    assert registry(other) == before


def test_something_new_lifts_a_refusal(lab: Lab) -> None:
    """Answers that came later, another policy, or an override, each once: the cell with the same
    override changes nothing later.
    """
    (a, b, c), study, _ = incident(lab)
    override = {"study": study, "override": "c is gone"}
    assert tried(lambda: lab.promote(b, env="prod", **override)) == "done"
    assert lab.history("p").deployments[-1].override == "c is gone"
    assert tried(lambda: lab.rollback(b, env="prod", reason="another incident")) == "done"
    assert tried(lambda: lab.promote(c, env="prod", study=study, override="c is mended")) == "done"
    before = registry(lab)
    assert tried(lambda: lab.promote(b, env="prod", **override)) == "held"
    assert registry(lab) == before
    (a, b, c), _ = measured(lab, "q", "abc")
    assert tried(lambda: lab.promote(b, env="prod")).startswith("done")
    assert tried(lambda: lab.promote(a, env="prod")).startswith("refused")
    _, fresh = measured(lab, "q", "abc", fresh=True)
    assert "a refusal holds" not in tried(lambda: lab.promote(a, env="prod", study=fresh))


def test_a_refusal_on_other_terms_is_another_question(lab: Lab) -> None:
    """What the policy, the path or a wrong study asked for is done, and the same evidence
    promotes.
    """
    (a, b), study = measured(lab, "p", "ab")
    lab.prompt("p").policy = Policy(min_n=100)
    assert tried(lambda: lab.promote(a, env="prod", study=study)).startswith("refused")
    lab.prompt("p").policy = Policy(stages=("staging", "prod"))
    assert "has not served staging" in tried(lambda: lab.promote(a, env="prod", study=study))
    assert tried(lambda: lab.promote(a, env="staging", study=study)) == "done"
    assert tried(lambda: lab.promote(a, env="prod", study=study)) == "done"
    lab.prompt("p").policy = None
    _, alone = measured(lab, "p", "b")
    assert "against nothing" in tried(lambda: lab.promote(b, env="prod", study=alone))
    assert tried(lambda: lab.promote(b, env="prod", study=study)) == "done"


def test_a_canary_in_the_way_and_a_canary_without_a_rest(lab: Lab) -> None:
    """Refusals that are not of the evidence stand too, each for what was asked; the share that was
    too early may be everyone.
    """
    (a, _, c), study = measured(lab, "p", "abc")
    cells: list[Callable[[], Any]] = [
        lambda: lab.promote(a, env="prod", study=study, percent=10),
        lambda: lab.promote(a, env="prod", study=study),
        lambda: lab.promote(c, env="prod", study=study, percent=10),
        lambda: lab.promote(c, env="prod", study=study, percent=50),
    ]
    first = [tried(cell).split(":")[0] for cell in cells]
    assert first == ["refused", "done", "done", "done"]
    (d, e, f), other = measured(lab, "q", "abc")
    cells += [
        lambda: lab.promote(d, env="prod", study=other),
        lambda: lab.promote(e, env="prod", study=other, percent=10),
        lambda: lab.promote(f, env="prod", study=other),
        lambda: lab.rollback(e, env="prod"),
    ]
    first += [tried(cell).split(":")[0] for cell in cells[4:]]
    assert first[4:] == ["done", "done", "refused", "done"]
    before = registry(lab)
    again = [tried(cell) for cell in cells]
    assert registry(lab) == before
    assert all(text == "held" or was == "refused" for text, was in zip(again, first, strict=True))


def test_a_share_that_was_refused_is_not_what_a_running_canary_is_set_to(lab: Lab) -> None:
    """10 % was refused, 20 % began with an override: the cell that asked for 10 % does not shrink
    it; a share that is new widens it.
    """
    (_, b, _), study, _ = incident(lab)

    def small() -> Any:
        return lab.promote(b, env="prod", study=study, percent=10)

    assert tried(small).startswith("refused")
    assert (
        tried(lambda: lab.promote(b, env="prod", study=study, percent=20, override="c is gone"))
        == "done"
    )
    before = registry(lab)
    assert (
        "10 % for v2 in prod was refused before its canary began"
        in study.gate(b, env="prod", percent=10)[0]
    )
    assert tried(small) == "held"
    assert registry(lab) == before
    assert tried(lambda: lab.promote(b, env="prod", study=study, percent=40)) == "done"


# -- the gate says what a click does


def test_the_gate_says_what_promote_will_do(lab: Lab) -> None:
    """After a rollback, a refusal, beside a canary: a point each, and none with the override that
    promote would take.
    """
    (_, b, c), study, _ = incident(lab)
    for version, says in ((c, "v3 was rolled back by"), (b, "a refusal holds")):
        points = study.gate(version, env="prod")
        assert len(points) == 1
        assert says in points[0]
        assert study.gate(version, env="prod", override="on purpose") == ()
        assert (
            tried(lambda version=version: lab.promote(version, env="prod", study=study)) != "done"
        )
    assert (
        tried(lambda: lab.promote(c, env="prod", study=study, percent=10, override="on purpose"))
        == "done"
    )
    assert (
        "v3 served everyone here before, and is a canary for 10 % since"
        in study.gate(c, env="prod")[0]
    )
    assert tried(lambda: lab.promote(c, env="prod", study=study)) == "held"
    assert "a canary of p runs in prod" in study.gate(b, env="prod", override="x")[0]
    assert study.gate(c, env="prod", percent=20) == ()
    assert study.gate(c, env="prod", percent=100)[0].startswith("100 % is not a valid canary share")
    assert tried(lambda: lab.promote(c, env="prod", study=study, percent=20)) == "done"
    assert "had 10 % before" in study.gate(c, env="prod", percent=10)[0]
    assert study.gate(c, env="prod", override="it held") == ()
    assert tried(lambda: lab.promote(c, env="prod", study=study, override="it held")) == "done"


def test_the_view_says_what_its_button_does(lab: Lab) -> None:
    """After the incident the card names the point before the click; the text of the reason box is
    the override, and lets it through.
    """
    from promptops.views.environments import EnvironmentsView

    incident(lab)
    view = EnvironmentsView(lab, "p")
    before = registry(lab)
    for number, says in ((3, "rolled back by"), (2, "a refusal holds")):
        view.version.value = number
        assert "the gate would refuse" in view.gate.value
        assert says in view.gate.value
        assert "a reason in the box below" in view.gate.value
        view.promote.click()
        view.promote.click()
        assert registry(lab) == before
    view.reason.value = "c is gone for good"
    assert "lets it through" in view.gate.value
    view.promote.click()
    view.promote.click()
    done = lab.history("p").deployments[-1]
    assert (done.number, done.override) == (2, "c is gone for good")


def test_the_command_line_exits_1_and_names_its_flag(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is held or refused as a repetition is not a success of the command, rehearsed or not;
    --override takes the step.
    """
    from promptops.cli.__main__ import main

    _, study, _ = incident(lab)
    monkeypatch.chdir(lab.project.location.root)
    before = registry(lab)
    for version in ("v2", "v3"):
        for more in ([], ["--dry-run"]):
            with pytest.raises(SystemExit) as ended:
                main(["promote", "p", version, "--env", "prod", "--study", study.id, *more])
            said = capsys.readouterr().err
            assert ended.value.code == 1
            assert '--override "reason"' in said
            assert 'override="reason"' not in said
    assert registry(lab) == before
    with pytest.raises(SystemExit) as ended:
        main(
            ["promote", "p", "v2", "--env", "prod", "--study", study.id, "--override", "c is gone"]
        )
    assert not ended.value.code
    assert b"c is gone" in registry(lab)


# -- the emergency door


def down(request: dict[str, Any]) -> str:
    raise RuntimeError("the line is down")


def test_a_forced_promotion_goes_through_where_its_evidence_cannot_be_made(
    make_lab: MakeLab,
) -> None:
    """The newest study failed, the one that is named is of another prompt, a consumer's file is
    broken: a point each, and the deployment is made and marked; without force nothing is.
    """
    lab = make_lab(models={"m": ScriptedModel(answer), "down": ScriptedModel(down)})
    (a,), study = measured(lab, "p", "a")
    b = lab.prompt("q").save("b {{q}}", model="down")
    lab.evaluate([b], Dataset.read(ROWS[:6]), [equals()]).wait()
    with pytest.raises(PromptOpsError, match="failed"):
        lab.promote(b, env="prod")
    done = lab.promote(b, env="prod", force=True, reason="outage")
    assert (done.number, done.forced, done.changed, done.evidence) == (1, True, True, None)
    assert any("all 6 calls of v1 failed" in point for point in done.unmet)
    assert lab.promote(b, env="staging", study=study, force=True, reason="outage").forced
    consumers = Path(lab.project.registry.path).parent / "promptops.consumers"
    consumers.mkdir()
    (consumers / "app.json").write_text("{", encoding="utf-8")
    with pytest.raises(PromptOpsError):
        lab.promote(a, env="prod", study=study)
    forced = lab.promote(a, env="prod", study=study, force=True, reason="outage")
    assert forced.forced
    assert any("app.json" in point for point in forced.unmet)


@pytest.mark.parametrize("after", ["rolled back", "followed"])
def test_a_forced_promotion_is_not_repeated_because_something_was_measured(
    lab: Lab, after: str
) -> None:
    """The emergency was undone, and a study of more data came later: the cell that forced it once
    does not deploy it again, since no gate would look at the data.
    """
    (a, b, _), study = measured(lab, "p", "abc")
    cells: list[Callable[[], Any]] = [
        lambda: lab.promote(b, env="prod", study=study),
        lambda: lab.promote(a, env="prod", force=True, reason="outage"),
        lambda: (
            lab.rollback(a, env="prod", reason="over")
            if after == "rolled back"
            else lab.promote(b, env="prod", force=True, reason="over")
        ),
    ]
    assert [tried(cell) for cell in cells] == ["done", "done", "done"]
    time.sleep(1.1)  # the chain's moments are in whole seconds
    measured(lab, "p", "abc", fresh=True)
    before = registry(lab)
    with pytest.warns(UserWarning, match="the reason 'outage' was used for it before") as told:
        lab.promote(a, env="prod", force=True, reason="outage")
    assert "this promotion rests on nothing that was measured since" in str(told[0].message)
    assert [tried(cell) for cell in cells] == ["held", "held", "held"]
    assert registry(lab) == before
    again = lab.promote(a, env="prod", force=True, reason="another outage")
    assert again.changed


def test_a_forced_promotion_goes_through_where_its_evidence_cannot_be_kept(lab: Lab) -> None:
    """A file in the place of the evidence's folder: said, marked and not cited; without force
    nothing is changed.
    """
    (a,), study = measured(lab, "p", "a")
    (Path(lab.project.registry.path).parent / "promptops.evidence").write_text(
        "in the way", encoding="utf-8"
    )
    before = registry(lab)
    with pytest.raises(OSError, match="evidence"):
        lab.promote(a, env="prod", study=study)
    assert registry(lab) == before
    done = lab.promote(a, env="prod", study=study, force=True, reason="outage")
    assert (done.changed, done.forced, done.evidence) == (True, True, None)
    assert "The evidence could not be written" in done.unmet[0]


def test_a_forced_promotion_does_not_go_twice(lab: Lab) -> None:
    """The cell that forced once changes nothing later; another reason opens the door again."""
    (a, b, c), study = measured(lab, "p", "abc")
    assert tried(lambda: lab.promote(c, env="prod", study=study)) == "done"
    assert tried(lambda: lab.promote(a, env="prod", force=True, reason="outage")) == "done"
    assert tried(lambda: lab.promote(b, env="prod", study=study)) == "done"
    before = registry(lab)
    assert tried(lambda: lab.promote(a, env="prod", force=True, reason="outage")) == "held"
    assert registry(lab) == before
    assert tried(lambda: lab.promote(a, env="prod", force=True, reason="a second outage")) == "done"


# -- random histories


def grown(
    lab: Lab, dice: random.Random, name: str, sizes: tuple[int, int]
) -> tuple[list[Callable[[], Any]], list[str]]:
    """A notebook that grew cell by cell, and what each cell came to. A rollback asks nobody, so a
    version that a cell rolled back is not brought back here on purpose by a later one: that cell
    would roll it back again.
    """
    versions, study = measured(lab, name, "abcd", 30)
    cells: list[Callable[[], Any]] = []
    said: list[str] = []
    undone: set[tuple[str, str]] = set()
    for place in range(dice.randint(*sizes)):
        env = dice.choice(["prod", "prod", "prod", "dev"])
        serving = lab.project.registry.serving(name, env)
        here = (
            []
            if serving is None
            else [serving.id, *([serving.canary.id] if serving.canary else [])]
        )
        if here and dice.random() < 0.25:
            wanted = lab.prompt(name)[dice.choice(here)]
            try:
                said.append(
                    tried(
                        lambda wanted=wanted, env=env: lab.rollback(
                            wanted, env=env, reason="incident"
                        )
                    )
                )
            except NotDeployed:
                continue
            undone.add((env, wanted.id))
            cells.append(
                lambda wanted=wanted, env=env: lab.rollback(wanted, env=env, reason="incident")
            )
            continue
        version, options = dice.choice(versions), {}
        if dice.random() < 0.8:
            options["study"] = study
        if dice.random() < 0.4:
            options["percent"] = dice.choice([10, 20, 50])
        if (env, version.id) not in undone and dice.random() < 0.3:
            word = (
                f"because of {dice.randint(1, 3)}"
                if dice.random() < 0.5
                else f"because of cell {place}"
            )
            options |= (
                {"override": word} if dice.random() < 0.5 else {"force": True, "reason": word}
            )
        cells.append(
            lambda version=version, env=env, options=options: lab.promote(
                version, env=env, **options
            )
        )
        said.append(tried(cells[-1]))
    return cells, said


def run_again(lab: Lab, seed: int, sizes: tuple[int, int]) -> int:
    """One history twice; returns how many of its cells were refused at first. sizes: the least and
    the most cells that it has.
    """
    cells, said = grown(lab, random.Random(seed), f"p{seed}", sizes)
    before = registry(lab)
    again = [tried(cell) for cell in cells]
    assert registry(lab) == before, seed
    for place, (first, second) in enumerate(zip(said, again, strict=True)):
        assert second == "held" or first.startswith("refused"), (seed, place, first, second)
    return sum(text.startswith("refused") for text in said)


def test_random_histories_run_again_leave_the_registry_as_it_is(lab: Lab) -> None:
    """G14: 20 random histories of promote, refuse, canary, widen, override, force and roll back, in
    a gated and an ungated place.
    """
    assert sum(run_again(lab, seed, (4, 7)) for seed in range(20)) > 20


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_many_random_histories_run_again_leave_the_registry_as_it_is(make_lab: MakeLab) -> None:
    """G14: 200 of them, each in a project of its own: in one, each asks for all before it."""
    refused = 0
    for seed in range(1000, 1200):
        lab = make_lab(str(seed), models={"m": ScriptedModel(answer)})
        refused += run_again(lab, seed, (6, 14))
        lab.project.close()
    assert refused > 200

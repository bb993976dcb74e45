"""Nothing that may be tried until it passes passes: reruns, candidates, primaries, grown data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops.analysis import words
from promptops.analysis.recompute import recompute
from promptops.analysis.tried import Tried, TriedCandidate
from promptops.errors import NothingToCompare, Refused, StudyError
from promptops.evidence import Evidence
from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import contains, equals
from promptops.study.promotion_basis import evidence_of

MakeLab = Callable[..., Lab]


def rows(n: int = 40, start: int = 0) -> list[dict[str, Any]]:
    return [{"q": str(i), "expected": "yes"} for i in range(start, start + n)]


class Rises:
    """A is right on the even rows; B too, and on a few more: six at first, others each time."""

    def __init__(self) -> None:
        self.turn = 0

    def __call__(self, call: Any) -> str:
        name, number = call.request["messages"][-1]["content"].split()
        i = int(number)
        won = i % 2 == 0 or (name != "A" and i in range(1, 12, 2))
        return "yes" if won else "no"


def lab_of(make_lab: MakeLab, *names: str) -> tuple[Lab, list[Any]]:
    lab = make_lab(models={"m": ScriptedModel(Rises())})
    prompt = lab.prompt("w")
    return lab, [prompt.save(f"{name} {{{{q}}}}", model="m") for name in names]


def judged(study: Any, b: Any, a: Any) -> tuple[str, Tried]:
    comparison = study.compare(candidate=b, baseline=a)
    return comparison.verdict.decision, comparison.grounds.tried


def test_the_first_judgement_is_the_fixed_test(make_lab: MakeLab) -> None:
    """Six won and none lost: p = 1/64, promoted; Run All and a copy of the rows count nothing."""
    lab, (v1, v2) = lab_of(make_lab, "A", "B")
    for name, data in (("one", rows()), ("one", rows()), ("again", rows() * 2)):
        decision, tried = judged(lab.evaluate([v1, v2], data, [equals()], name=name), v2, v1)
        assert (decision, tried.times, tried.place) == ("promote", 1, 1)


def test_earlier_answers_without_this_score_are_scored_and_not_asked(make_lab: MakeLab) -> None:
    """A study of all rows by one scorer, then one of a part by another: what is pooled lacks a
    score until the earlier study is rescored, as the next step says.
    """
    lab, (v1, v2) = lab_of(make_lab, "A", "B")
    first = lab.evaluate([v1, v2], rows(), [contains("yes")], name="first")
    second = lab.evaluate([v1, v2], rows(20), [equals()], name="second")
    before = second.compare(candidate=v2, baseline=v1).verdict
    [check] = [check for check in before.checks if check.name == "complete"]
    assert f"lab.study({first.id!r}).rescore([...])" in check.next
    lab.study(first.id).rescore([equals()])
    found = second.compare(candidate=v2, baseline=v1)
    assert not any(c.name == "complete" for c in found.verdict.checks)
    assert found.primary.unscored == 0


def test_asking_the_pair_afresh_needs_the_e_value(make_lab: MakeLab) -> None:
    """The second set of answers is pooled with the first, and E is 9.9: not 20."""
    lab, (v1, v2) = lab_of(make_lab, "A", "B")
    first = lab.evaluate([v1, v2], rows(), [equals()], name="one")
    again = lab.evaluate([v1, v2], rows(), [equals()], name="two", fresh=True)
    comparison = again.compare(candidate=v2, baseline=v1)
    assert comparison.verdict.decision == "inconclusive"
    assert "Judged twice on these 40 examples" in " ".join(comparison.verdict.reasons)
    assert comparison.primary.repeats == 2
    assert comparison.primary.e_value < 20
    [note] = [note for note in comparison.notes if note.startswith("Judged twice")]
    assert note.endswith(f"This comparison's E is {words.e_value(comparison.primary.e_value)}.")
    assert judged(first, v2, v1)[0] == "promote"  # the first one stays what it was


def test_grown_data_are_a_further_judgement(make_lab: MakeLab) -> None:
    """Ten more rows beside the forty: judged twice. Rows that nobody asked start anew."""
    lab, (v1, v2) = lab_of(make_lab, "A", "B")
    lab.evaluate([v1, v2], rows(), [equals()], name="one")
    grown = lab.evaluate([v1, v2], rows(50), [equals()], name="two")
    assert judged(grown, v2, v1)[1].times == 2
    fresh = lab.evaluate([v1, v2], rows(40, 100), [equals()], name="three")
    assert judged(fresh, v2, v1)[1].times == 1


def test_a_column_that_no_version_reads_hides_no_judgement(make_lab: MakeLab) -> None:
    """Rows overlap where the same is asked, whatever else stands beside it."""
    lab, (v1, v2) = lab_of(make_lab, "A", "B")
    lab.evaluate([v1, v2], rows(), [equals()], name="one")
    other = [{**row, "number": i} for i, row in enumerate(rows())]
    again = lab.evaluate([v1, v2], other, [equals()], name="two", fresh=True)
    assert judged(again, v2, v1)[1].times == 2


def test_rows_of_earlier_studies_are_near_copies_too(make_lab: MakeLab) -> None:
    """The same rows with another space, asked in a second and a third study beside one that they
    share: pooled, the copies are of the clusters of the forty.
    """
    lab, (v1, v2) = lab_of(make_lab, "A", "B")
    lab.evaluate([v1, v2], rows(), [equals()], name="one")
    for times in (1, 2):
        spaced = [{**row, "q": row["q"] + " " * times} for row in rows()]
        again = lab.evaluate([v1, v2], [*rows(2), *spaced[2:]], [equals()], name=f"{times}")
        comparison = again.compare(candidate=v2, baseline=v1)
        assert comparison.primary.n > 40
        assert comparison.primary.clusters == 40
        assert comparison.verdict.decision == "inconclusive"


def test_leaving_rows_out_brings_none_away(make_lab: MakeLab) -> None:
    """A study on the rows that were won is judged on all that were asked."""
    lab, (v1, v2) = lab_of(make_lab, "A", "B")
    lab.evaluate([v1, v2], rows(), [equals()], name="one")
    part = lab.evaluate([v1, v2], rows(14), [equals()], name="two")
    assert part.compare(candidate=v2, baseline=v1).primary.n == 40


def test_another_primary_afterwards_is_a_further_judgement(make_lab: MakeLab) -> None:
    """The primary is the one named when the study was made."""
    lab, (v1, v2) = lab_of(make_lab, "A", "B")

    def short(output: str) -> bool:
        return output == "yes"

    study = lab.evaluate([v1, v2], rows(), [equals(), short], name="one")
    assert study.compare(candidate=v2, baseline=v1).verdict.decision == "promote"
    other = study.compare(candidate=v2, baseline=v1, primary="short")
    assert other.grounds.tried.times == 2
    assert other.verdict.decision == "inconclusive"


def test_the_candidates_of_one_study_share_alpha(make_lab: MakeLab) -> None:
    """p = 1/64 alone is promoted; beside three others Holm asks for 1/80."""
    lab, (v1, *others) = lab_of(make_lab, "A", "B", "C", "D", "E")
    alone = lab.evaluate([v1, others[0]], rows(), [equals()], name="alone")
    together = make_lab("other", models={"m": ScriptedModel(Rises())})
    prompt = together.prompt("w")
    arms = [prompt.save(f"{name} {{{{q}}}}", model="m") for name in "ABCDE"]
    study = together.evaluate(arms, rows(), [equals()], name="all")
    assert alone.compare(candidate=others[0], baseline=v1).verdict.decision == "promote"
    assert study.compare(candidate=arms[1], baseline=arms[0]).verdict.decision == "inconclusive"


def test_a_finalist_named_by_a_plan_is_judged_alone(make_lab: MakeLab) -> None:
    """The other arms of its study are not candidates."""
    lab, (v1, v2, v3, v4, v5) = lab_of(make_lab, "A", "B", "C", "D", "E")
    plan = lab.plan("w", rows(), [equals()], split=None, finalists=[v2])
    study = lab.evaluate([v1, v2, v3, v4, v5], rows(), plan=plan)
    assert study.compare(candidate=v2, baseline=v1).verdict.decision == "promote"


def test_the_third_candidate_over_several_studies_needs_120(make_lab: MakeLab) -> None:
    """E >= 20 k (k - 1), said on the card; the bundle lists the judgements and recounts them."""
    lab, (v1, v2, v3, v4) = lab_of(make_lab, "A", "B", "C", "D")
    lab.promote(v1, env="prod", study=lab.evaluate([v1], rows(), [equals()], name="base"))
    for version in (v2, v3, v4):
        study = lab.evaluate([v1, version], rows(), [equals()], name=f"try {version.label}")
    comparison = study.compare(candidate=v4, baseline=v1)
    assert comparison.grounds.tried.place == 3
    assert comparison.grounds.tried.needed(0.05) == pytest.approx(120)
    assert "Candidate number 3" in " ".join(comparison.verdict.reasons)
    evidence = evidence_of(lab.project, v4, "prod", study.recorded)
    assert evidence is not None
    assert evidence.rule["needs_e"] == pytest.approx(120)
    assert len(evidence.rule["tried"]["judgements"]) == 3
    assert all(figure.same for figure in recompute(evidence))


def test_imports_are_judgements_like_others(make_lab: MakeLab) -> None:
    """A second import of other answers to the same rows is the second judgement of the pair."""
    lab = make_lab()
    data = [{"id": f"e{i}", **row} for i, row in enumerate(rows())]

    def outputs(shift: int) -> list[dict[str, Any]]:
        return [
            {"example_id": f"e{i}", "version": v, "output": "yes" if (v == "b" or i > 5) else "no"}
            | ({"output": "Yes"} if i == 20 + shift else {})
            for v in ("a", "b")
            for i in range(40)
        ]

    first, second = (
        lab.import_runs(outputs(k), data, [equals()], prompt="w", name=f"import {k}")
        for k in (0, 1)
    )
    assert judged(first, "b", "a")[1].times == 1
    assert judged(second, "b", "a")[1].times == 2


def listed(*entries: tuple[str, int, str, str]) -> tuple[TriedCandidate, ...]:
    return tuple(TriedCandidate(s, order, c, 100, d, "exact@1") for s, order, c, d in entries)


@pytest.mark.parametrize(
    ("entries", "candidate", "needed"),
    [
        ((("s1", 0, "b", "x"),), "b", None),
        ((("s1", 0, "b", "x"), ("s2", 1, "b", "x")), "b", None),
        ((("s1", 0, "b", "x"), ("s2", 1, "b", "y")), "b", 20),
        ((("s1", 0, "b", "x"), ("s2", 1, "c", "y")), "b", None),
        ((("s1", 0, "b", "x"), ("s2", 1, "c", "y")), "c", 40),
        ((("s1", 0, "b", "x"), ("s1", 0, "c", "y")), "c", None),
        ((("s1", 0, "b", "x"), ("s1", 0, "c", "y"), ("s2", 1, "c", "z")), "c", 40),
        ((("s1", 0, "b", "x"), ("s2", 1, "c", "y"), ("s2", 1, "d", "z")), "d", 120),
        ((("s1", 0, "b", "1"), ("s2", 1, "c", "2"), ("s3", 2, "d", "3")), "d", 120),
    ],
)
def test_what_is_needed(entries: Any, candidate: str, needed: float | None) -> None:
    """The pair, the candidate's place, and candidates that came together, as tables."""
    found = Tried(listed(*entries), candidate).needed(0.05)
    assert found == (None if needed is None else pytest.approx(needed))


def test_early_stopping_spends_alpha_once(make_lab: MakeLab) -> None:
    """Looked at after every batch and not settled: p = 1/64, E = 18, and no promotion."""
    lab, (v1, v2) = lab_of(make_lab, "A", "B")
    study = lab.evaluate([v1, v2], rows(), [equals()], name="looks", stop_when="settled")
    comparison = study.compare(candidate=v2, baseline=v1)
    assert comparison.primary.n == 40
    assert comparison.primary.p_better < 0.05
    assert comparison.verdict.decision == "inconclusive"
    assert "looked at after every batch" in " ".join(comparison.verdict.reasons)


def test_an_override_takes_the_other_finalist_after_a_rollback(make_lab: MakeLab) -> None:
    """v2 is preferred and promoted; rolled back, it stands before v3 no more where a word is
    given: not before its rollback, and not without the word.
    """

    def answer(request: dict[str, Any]) -> str:
        name, number = request["messages"][-1]["content"].split()
        i = int(number)
        return "yes" if i % 2 == 0 or i < {"A": 0, "B": 36, "C": 30}[name] else "no"

    lab = make_lab(models={"m": ScriptedModel(answer)})
    prompt = lab.prompt("w")
    v1, v2, v3 = (prompt.save(f"{name} {{{{q}}}}", model="m") for name in "ABC")
    study = lab.evaluate([v1, v2, v3], rows(), [equals()], name="all")
    lab.promote(v1, env="prod", study=lab.evaluate([v1], rows(), [equals()], name="first"))
    with pytest.raises(Refused, match="another finalist is preferred"):
        lab.promote(v3, env="prod", study=study, override="we like it")
    lab.promote(v2, env="prod", study=study)
    lab.rollback(prompt, env="prod")
    with pytest.raises(Refused, match='override="reason"'):
        lab.promote(v3, env="prod", study=study)
    taken = lab.promote(v3, env="prod", study=study, override="v2 broke the parser")
    assert (taken.number, taken.forced) == (3, False)
    found = Evidence.read(Path(lab.project.registry.path), str(taken.evidence))
    assert all(figure.same for figure in recompute(found))


def test_answers_of_another_target_count_as_a_judgement_and_are_not_pooled(
    make_lab: MakeLab,
) -> None:
    """A changed function in the model's place is another system: its answers alone are averaged,
    and the earlier study still counts.
    """
    lab, (v1, v2) = lab_of(make_lab, "A", "B")

    def answering(right: str) -> Any:
        return lambda q: "yes" if right == "all" else "no"

    data = [{"q": str(i), "expected": "yes"} for i in range(40)]
    first = lab.evaluate([v1, v2], data, [equals()], target=answering("all")).wait()
    again = lab.evaluate([v1, v2], data, [equals()], target=answering("none")).wait()
    assert first.compare(candidate=v2, baseline=v1).primary.candidate == 1.0
    comparison = again.compare(candidate=v2, baseline=v1)
    assert (comparison.primary.candidate, comparison.primary.repeats) == (0.0, 1)
    assert comparison.grounds.tried.times == 2


def test_the_models_own_answers_are_not_pooled_with_those_of_a_target(make_lab: MakeLab) -> None:
    """The same versions on the same rows, first alone and then within an application that is always
    wrong, and the other way round: each study has its own figures, and counts as a judgement.
    """
    for order in ("model first", "target first"):
        lab = make_lab(order, models={"m": ScriptedModel(lambda call: "yes")})
        prompt = lab.prompt("w")
        pair = [prompt.save(f"{name} {{{{q}}}}", model="m") for name in "AB"]
        data = [{"q": str(i), "expected": "yes"} for i in range(40)]
        targets: list[Any] = [None, lambda q: "no"]
        for place, target in enumerate(targets if order == "model first" else targets[::-1]):
            study = lab.evaluate(pair, data, [equals()], target=target).wait()
            found = study.compare(candidate=pair[1], baseline=pair[0])
            right = 1.0 if target is None else 0.0
            assert (found.primary.candidate, found.primary.baseline) == (right, right)
            assert found.primary.repeats == 1
            assert found.grounds.tried.times == 1 + place
        assert "those of a target" not in str(lab.leaderboard(pair).notes)
        lab.evaluate(pair[:1], data, [equals()], target=lambda q: "maybe").wait()
        lab.evaluate(pair[1:], data, [equals()], fresh=True).wait()
        assert "answers of v1 are those of a target" in lab.leaderboard(pair).notes[0]


def test_answers_of_another_address_are_not_pooled(make_lab: MakeLab) -> None:
    """The same model name, served elsewhere."""
    data = [{"id": f"e{i}", "q": str(i), "expected": "yes"} for i in range(40)]
    found = []
    for label, said in (("one", "yes"), ("two", "no")):
        model = ScriptedModel(lambda call, said=said: said, label=label)
        lab = make_lab("shared", models={"m": model})
        prompt = lab.prompt("w")
        pair = [prompt.save(f"{name} {{{{q}}}}", model="m") for name in "AB"]
        study = lab.evaluate(pair, data, [equals()]).wait()
        figures = study.compare(candidate=pair[1], baseline=pair[0]).primary
        found.append((figures.candidate, figures.baseline, figures.repeats))
    assert found == [(1.0, 1.0, 1), (0.0, 0.0, 1)]


def test_answers_of_a_version_at_the_other_arms_address_are_not_pooled(make_lab: MakeLab) -> None:
    """The candidate's model moved to another server, where it is always wrong; the baseline's stays
    where the candidate's was.
    """
    data = [{"id": f"e{i}", "q": str(i), "expected": "yes"} for i in range(40)]
    found = []
    for label, said in (("one", "yes"), ("two", "no")):
        moved = ScriptedModel(lambda call, said=said: said, label=label)
        stays = ScriptedModel(lambda call: "yes", label="one")
        lab = make_lab("shared", models={"a": stays, "b": moved})
        prompt = lab.prompt("w")
        pair = [prompt.save(f"{name} {{{{q}}}}", model=name.lower()) for name in "AB"]
        study = lab.evaluate(pair, data, [equals()]).wait()
        figures = study.compare(candidate=pair[1], baseline=pair[0]).primary
        found.append((figures.candidate, figures.baseline))
    assert found == [(1.0, 1.0), (0.0, 1.0)]


def test_another_order_of_the_same_rows_is_no_further_evidence(make_lab: MakeLab) -> None:
    """A column that nobody reads makes another study, which shuffles the same answers anew: one of
    its beginnings looks settled (60 won and 40 lost in all, p = .06), and that promotes nothing.
    """

    def answer(call: Any) -> str:
        name, number = call.request["messages"][-1]["content"].split()
        i = int(number)
        return "yes" if i >= 100 or (i < 60) is (name != "A") else "no"

    lab = make_lab(models={"m": ScriptedModel(answer)})
    prompt = lab.prompt("w")
    v1, v2 = (prompt.save(f"{name} {{{{q}}}}", model="m") for name in "AB")
    for turn in (0, 11):  # the latter's first sixteen are won by v2: E is 57
        data = [{"id": f"e{i:03}", **row, "note": str(turn)} for i, row in enumerate(rows(200))]
        study = lab.evaluate([v1, v2], data, [equals()], stop_when="settled")
        assert judged(study, v2, v1)[0] == "inconclusive"
        assert study.compare(candidate=v2, baseline=v1).primary.n == 200


def test_a_version_is_compared_with_what_serves(make_lab: MakeLab) -> None:
    """Where no baseline is named; until something serves, one sentence says so."""
    lab, (v1, v2) = lab_of(make_lab, "A", "B")
    study = lab.evaluate([v1, v2], rows(), [equals()])
    with pytest.raises(StudyError, match="serves nothing in prod yet.*name the baseline"):
        lab.compare(candidate=v2)
    lab.promote(v1, env="prod", study=study)
    found = lab.compare(candidate=v2)
    assert (found.baseline.version, found.baseline.label) == (v1.id, "v1")
    assert found.statement() == study.compare(candidate=v2, baseline=v1).statement()
    for baseline in (None, v1):  # a policy that asks for "not worse" had promoted v1 over v1
        with pytest.raises(NothingToCompare, match="v1 cannot be compared with itself"):
            lab.compare(candidate=v1, baseline=baseline)


def test_looks_at_the_candidate_alone_count(make_lab: MakeLab) -> None:
    """The baseline is answered once, the candidate alone on more and more rows: whoever looks until
    it is ahead has looked that often, and the study of both is no first judgement.
    """
    lab, (v1, v2) = lab_of(make_lab, "A", "B")
    lab.evaluate([v1], rows(), [equals()], name="before")
    for n, needed in ((20, None), (30, pytest.approx(20))):
        lab.evaluate([v2], rows(n), [equals()], name=f"alone on {n}")
        across = lab.compare(candidate=v2, baseline=v1)
        assert across.grounds.tried.needed(0.05) == needed
    lab.evaluate([v2], rows(40), [equals()], name="alone on 40")
    across = lab.compare(candidate=v2, baseline=v1)
    assert across.verdict.rule.needs_e == pytest.approx(20)
    said = lab.estimate([v1, v2], rows(), [equals()]).in_force
    assert len(said) == 2, "what the verdict will need is known before anything is paid"
    assert "Judged 3 times on these 40 examples" in said[1]
    decision, tried = judged(lab.evaluate([v1, v2], rows(), [equals()], name="both"), v2, v1)
    assert (decision, tried.times, tried.place) == ("inconclusive", 3, 1)


def test_the_same_answers_alone_and_beside_are_one_judgement(make_lab: MakeLab) -> None:
    """Each version is evaluated alone on the same rows, one against itself, then both: the fixed
    test.
    """
    lab, (v1, v2) = lab_of(make_lab, "A", "B")
    for version in (v1, v2):
        lab.evaluate([version], rows(), [equals()])
    v2.noise(rows(), [equals()])
    assert len(lab.estimate([v1, v2], rows(), [equals()]).in_force) == 1
    decision, tried = judged(lab.evaluate([v1, v2], rows(), [equals()], name="both"), v2, v1)
    assert (decision, tried.times) == ("promote", 1)


def test_a_look_before_the_baseline_answered_is_none(make_lab: MakeLab) -> None:
    """A trial of the candidate before anything was there to compare it with counts nothing."""
    lab, (v1, v2) = lab_of(make_lab, "A", "B")
    lab.evaluate([v2], rows(20), [equals()], name="trial")
    decision, tried = judged(lab.evaluate([v1, v2], rows(), [equals()], name="both"), v2, v1)
    assert (decision, tried.times) == ("promote", 1)


def test_looks_at_the_baseline_alone_count(make_lab: MakeLab) -> None:
    """The candidate is answered once, the baseline afresh until it is behind: whoever asks again
    and again has looked that often, also where only the last answers are in the study of both.
    """
    lab, (v1, v2) = lab_of(make_lab, "A", "B")
    lab.evaluate([v2], rows(), [equals()], name="before")
    for turn in range(3):
        lab.evaluate([v1], rows(), [equals()], name=f"turn {turn}", fresh=True)
    said = lab.estimate([v1, v2], rows(), [equals()]).in_force
    assert "Judged 3 times on these 40 examples" in said[1]
    across = lab.compare(candidate=v2, baseline=v1)
    assert (across.verdict.decision, across.grounds.tried.times) == ("inconclusive", 3)
    decision, tried = judged(lab.evaluate([v1, v2], rows(), [equals()], name="both"), v2, v1)
    assert (decision, tried.times, tried.place) == ("inconclusive", 3, 1)


def test_what_the_baseline_answered_before_the_candidate_is_no_look(make_lab: MakeLab) -> None:
    """A trial of the baseline on a part of the rows, then each alone on all of them, then both."""
    lab, (v1, v2) = lab_of(make_lab, "A", "B")
    lab.evaluate([v1], rows(20), [equals()], name="trial")
    for version in (v1, v2):
        lab.evaluate([version], rows(), [equals()])
    assert lab.compare(candidate=v2, baseline=v1).grounds.tried.times == 1
    decision, tried = judged(lab.evaluate([v1, v2], rows(), [equals()], name="both"), v2, v1)
    assert (decision, tried.times) == ("promote", 1)

"""A policy may judge over tasks: then what differs between tasks counts, and a large task decides
nothing alone.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.compare import ComparisonContext, ComparisonFacts, compare
from promptops.analysis.decide import decide
from promptops.analysis.finalists import decide_many
from promptops.analysis.recompute import make_evidence, recompute
from promptops.analysis.task_checks import claim, judged_tasks
from promptops.analysis.tried import Tried, TriedCandidate
from promptops.errors import StatisticsError, VersionError
from promptops.evidence import Evidence
from promptops.policy import Policy

OVER_TASKS = Policy(estimand="tasks")
BBH = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "bbh"


def tagged(
    parts: dict[str, tuple[int, int, int]], label: str = "v2", **grounds: object
) -> ComparisonFacts:
    """Task -> examples won, lost, and right in both."""
    rows = [
        (tag, *pair)
        for tag, (won, lost, same) in parts.items()
        for pair in [(1, 0)] * won + [(0, 1)] * lost + [(1, 1)] * same
    ]
    arms = [
        Arm(name, name, {"exact": Outcomes.of({f"e{i}": [r[side]] for i, r in enumerate(rows)})})
        for side, name in ((1, label), (2, "v1"))
    ]
    tags = {f"e{i}": (row[0],) for i, row in enumerate(rows)}
    context = replace(ComparisonContext(tags=tags), **grounds)  # type: ignore[arg-type]
    return compare(arms[0], arms[1], grounds=context)


LARGE = {"sums": (60, 2, 200), "dates": (0, 1, 19), "rhymes": (1, 1, 18), "irony": (0, 1, 19)}
EVERY = dict.fromkeys(("sums", "dates", "rhymes", "irony", "verbs", "maps"), (9, 1, 30))


def test_one_large_task_does_not_win_for_the_others() -> None:
    """Over examples the candidate is promoted by one task of 262; over tasks it is not shown."""
    comparison = tagged(LARGE)
    assert decide(comparison).decision == "promote"
    verdict = decide(comparison, OVER_TASKS)
    assert verdict.decision == "inconclusive"
    assert "Over 4 tasks" in verdict.reasons[0]
    assert "more task" in verdict.next[0] or "no number of tasks" in verdict.next[0]


def test_a_gain_in_every_task_is_promoted_and_a_loss_rejected() -> None:
    """The same figures turned round are worse."""
    comparison = tagged(EVERY)
    verdict = decide(comparison, OVER_TASKS)
    assert verdict.decision == "promote", verdict
    assert "Over 6 tasks: +20.0 points" in verdict.reasons[0]
    lost = tagged({name: (lost, won, same) for name, (won, lost, same) in EVERY.items()})
    assert decide(lost, OVER_TASKS).decision == "reject"
    small = decide(comparison, replace(OVER_TASKS, min_effect=0.3))
    assert small.decision == "inconclusive"
    assert "below the least effect" in small.reasons[0]


def test_p_is_that_of_statsmodels_t_at_our_spread() -> None:
    """Hartung and Knapp's standard error by statsmodels, one-sided t with m - 1 degrees."""
    comparison = tagged(LARGE)
    found, rows = judged_tasks(comparison, OVER_TASKS), comparison_tasks(comparison)
    gains, variances = (np.array(values) for values in zip(*rows, strict=True))
    theirs = combine_effects(gains, variances + found.tau**2, method_re="dl", use_t=True)
    se = max(float(theirs.sd_eff_w_fe_hksj), float(theirs.sd_eff_w_fe))
    assert found.se == pytest.approx(se, abs=1e-9)
    t = float(theirs.mean_effect_fe) / se
    assert claim(comparison, OVER_TASKS).p_better == pytest.approx(stats.t.sf(t, 3), abs=1e-9)
    assert found.bound(0.05) == pytest.approx(found.interval[0])


def comparison_tasks(comparison: ComparisonFacts) -> list[tuple[float, float]]:
    from promptops.analysis.tasks import over_tags

    return [(row.gain, row.se**2) for row in over_tags(comparison).rows]


def test_not_worse_over_tasks_takes_the_bound() -> None:
    """Tasks without a change hold a margin of 10 points; one task that loses 40 breaks it."""
    policy = replace(OVER_TASKS, goal="not_worse", margin=0.1)
    same = dict.fromkeys(("sums", "dates", "rhymes", "irony"), (2, 2, 96))
    assert decide(tagged(same), policy).decision == "promote"
    broken = decide(tagged({**same, "irony": (0, 40, 60)}), policy)
    assert broken.decision != "promote"
    assert decide(tagged({**same, "irony": (2, 12, 86)}), policy).decision == "inconclusive"


def test_a_small_task_that_loses_is_not_outweighed_by_large_ones() -> None:
    """Its loss of 25 points had been 0.1 over four tasks."""
    policy = replace(OVER_TASKS, goal="not_worse")
    large = dict.fromkeys(("sums", "dates", "rhymes"), (0, 0, 190))
    verdict = decide(tagged({**large, "irony": (0, 2, 6)}), policy)
    assert verdict.decision == "inconclusive"
    assert "also where each task counts alike" in verdict.reasons[0]


@pytest.mark.parametrize("tasks", [6, 18])
def test_a_loss_of_the_margin_in_every_task_is_promoted_once_in_twenty(tasks: int) -> None:
    """Where few losses were seen, the variance is small too: such tasks had outweighed the others,
    so that half of the studies of 18 tasks promoted.
    """
    rng, studies = np.random.default_rng(tasks), 80
    policy, hits = replace(OVER_TASKS, goal="not_worse"), 0
    for _ in range(studies):
        lost = rng.binomial(60, policy.margin, tasks).tolist()
        changes = {f"t{k}": (0, losses, 60 - losses) for k, losses in enumerate(lost)}
        hits += decide(tagged(changes), policy).decision == "promote"
    assert hits <= 10  # of 4 expected: once in two hundred


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"e0": ()}, "has no task"),
        ({"e0": ("sums", "long")}, "has 2 tasks"),
        ({"e0": ("alone",)}, "has one example"),
        ({f"e{i}": ("sums",) for i in range(400)}, "needs two"),
    ],
)
def test_examples_without_one_task_each_settle_nothing(
    tags: dict[str, tuple[str, ...]], said: str
) -> None:
    """No task, several, a task of one example, or one task for all: unproven, and said."""
    whole = tagged(EVERY)
    grounds = replace(whole.grounds, tags={**whole.grounds.tags, **tags})
    comparison = compare(whole.candidate, whole.baseline, grounds=grounds)
    verdict = decide(comparison, OVER_TASKS)
    assert verdict.decision == "inconclusive"
    assert said in verdict.reasons[0]
    assert "tags=" in verdict.next[0]
    assert claim(comparison, OVER_TASKS).p_better == 1.0
    with pytest.raises(StatisticsError, match=said):
        judged_tasks(comparison, OVER_TASKS)


def test_several_candidates_share_alpha_over_tasks() -> None:
    """Holm multiplies the p over tasks, not that over examples."""
    weak = {name: (4 + place, 2, 40) for place, name in enumerate(EVERY)}
    one, *others = (tagged(weak, f"v{k}") for k in range(2, 12))
    alone = decide(one, OVER_TASKS)
    assert alone.decision == "promote"
    assert claim(one, OVER_TASKS).p_better * 10 > 0.05
    assert {v.decision for v in decide_many([one, *others], OVER_TASKS)} == {"inconclusive"}


def test_looks_and_further_judgements_need_more_than_t() -> None:
    """A look before the end settles nothing; a pair judged again needs its e-value over tasks."""
    assert decide(tagged(EVERY), OVER_TASKS, peeking=True).decision == "inconclusive"
    again = Tried(
        tuple(TriedCandidate(f"s{k}", k, "v2", 240, f"d{k}", "exact@1") for k in range(2)), "v2"
    )
    verdict = decide(tagged(EVERY, tried=again), OVER_TASKS)
    assert verdict.decision == "inconclusive"
    assert "E over tasks" in verdict.reasons[0]
    many = {f"task {k}": (20, 0, 1) for k in range(12)}
    assert decide(tagged(many, tried=again), OVER_TASKS).decision == "promote"


def test_what_is_missing_counts_against_the_candidate_over_tasks() -> None:
    """A task that a candidate only wins because its lost rows are missing holds it back."""
    whole = tagged(dict.fromkeys(("sums", "dates", "rhymes", "irony"), (4, 1, 95)))
    scores = whole.candidate.scores["exact"]
    rows: dict[str, list[float | None]] = {
        example: [float(value)]
        for example, value in zip(scores.examples, scores.mean.tolist(), strict=True)
    }
    assert decide(whole, OVER_TASKS).decision == "promote"
    for example in [e for e in rows if rows[e] == [1.0]][5:9]:
        rows[example] = [None]
    candidate = Arm("v2", "v2", {"exact": Outcomes.of(rows)})
    verdict = decide(compare(candidate, whole.baseline, grounds=whole.grounds), OVER_TASKS)
    assert verdict.decision == "inconclusive"
    assert "missing" in verdict.reasons[0]


def test_evidence_holds_the_tasks_and_is_recomputed() -> None:
    """Small tasks are in the bundle; a changed score or task is found."""
    comparison = tagged(EVERY)
    verdict = decide(comparison, OVER_TASKS)
    evidence = Evidence.from_document(
        json.loads(json.dumps(make_evidence(comparison, verdict).document()))
    )
    assert len(evidence.tags) == 6
    assert evidence.figures["over tasks"]["tasks"] == 6
    assert all(figure.same for figure in recompute(evidence))
    moved = {**evidence.tags, "sums": evidence.tags["dates"], "dates": evidence.tags["sums"][:30]}
    assert not all(figure.same for figure in recompute(replace(evidence, tags=moved)))
    plain = make_evidence(comparison, decide(comparison))
    assert "over tasks" not in plain.figures


def test_the_estimand_is_one_of_two_and_keeps_old_digests() -> None:
    """A policy over examples has the document that it had before the field."""
    assert "estimand" not in Policy().document()
    assert Policy.from_document(OVER_TASKS.document()) == OVER_TASKS
    with pytest.raises(VersionError, match="estimand is 'rows'"):
        Policy.of({"estimand": "rows"})


def test_the_tasks_of_bbh() -> None:
    """Chain of thought over direct answers: the mean over tasks is that of the published
    accuracies, and its standard error that of tasks, nine times that of examples.
    """
    if not BBH.is_dir() and not os.environ.get("CI"):
        pytest.skip("the recorded outputs of ../shared are not here")
    rows: dict[str, dict[str, list[float | None]]] = {}
    for line in (BBH / "outputs.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        rows.setdefault(row["version"], {})[row["example_id"]] = [float(row["correct"])]
    direct, cot = (
        Arm(name, name, {"exact": Outcomes.of(rows[name])}) for name in ("v1-direct", "v2-cot")
    )
    tags = {example: (example.split("/")[0],) for example in rows["v2-cot"]}
    comparison = compare(cot, direct, grounds=ComparisonContext(tags=tags))
    printed = json.loads((BBH / "published.json").read_text(encoding="utf-8"))["figures"]
    accuracy = {(f["slice"], f["version"]): f["published"] for f in printed}
    tasks = sorted({task for task, _ in accuracy} & {tag for (tag,) in tags.values()})
    gains = [(accuracy[t, "v2-cot"] - accuracy[t, "v1-direct"]) / 100 for t in tasks]
    found = judged_tasks(comparison, OVER_TASKS)
    assert found.tasks == len(tasks)
    assert found.mean == pytest.approx(np.mean(gains), abs=0.02)
    assert found.se > 6 * float(comparison.primary.sd or 0) / comparison.primary.n**0.5
    verdict = decide(comparison, OVER_TASKS)
    assert verdict.decision == "promote"
    assert verdict.reasons[0].startswith("Over 18 tasks: +24.4 points, 90 % interval 15.0 to 33.8")

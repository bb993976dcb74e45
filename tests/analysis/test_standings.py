"""Many versions and many slices: ranks are not verdicts, numbers are corrected, and a win that
hides a loss is reported.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.compare import ComparisonContext, ComparisonFacts, compare
from promptops.analysis.slices import moved, slices
from promptops.analysis.standings import leaderboard
from promptops.errors import StatisticsError, StudyError


def arm(label: str, values: list[float | None], cost: float | None = None, **more: Any) -> Arm:
    rows = {f"e{i:03d}": [value] for i, value in enumerate(values)}
    measures = (
        {"cost": Outcomes.of({name: [cost] for name in rows}, kind="measure")}
        if cost is not None
        else {}
    )
    return Arm(
        f"p1-{label}",
        label,
        {"exact": Outcomes.of(rows, **more), "other": Outcomes.of(rows)},
        measures,
    )


def share(n: int, right: int) -> list[float | None]:
    return [1.0] * right + [0.0] * (n - right)


ARMS = [
    arm("v1", share(100, 60), 0.001),
    arm("v2", share(100, 90), 0.004),
    arm("v3", share(100, 85), 0.002),
    arm("v4", share(100, 50), 0.003),
    arm("v5", share(100, 90), None),
]


def test_ranks_intervals_and_the_front() -> None:
    """Best first, equal means share a rank, Wilson intervals, and who is neither beaten nor
    undercut.
    """
    board = leaderboard(ARMS)
    assert [(s.label, s.rank) for s in board.standings] == [
        ("v2", 1),
        ("v5", 1),
        ("v3", 3),
        ("v1", 4),
        ("v4", 5),
    ]
    first = board.standings[0]
    assert (first.primary.low, first.primary.high) == pytest.approx((0.8256, 0.9448), abs=5e-5)
    assert {s.label: s.front for s in board.standings} == {
        "v2": True,
        "v5": None,
        "v3": True,
        "v1": True,
        "v4": False,
    }
    frame = board.frame
    assert list(frame.index) == ["v2", "v5", "v3", "v1", "v4"]
    assert {
        "version",
        "rank",
        "n",
        "exact",
        "low",
        "high",
        "other",
        "cost",
        "front",
        "contender",
    } <= set(frame.columns)
    assert len(board.duels_frame) == 10


def test_pairs_are_corrected_over_all_of_them() -> None:
    """Holm over the 10 pairs: the leader is shown better than v1 and v4, not than v3, and nothing
    is called equal.
    """
    board = leaderboard(ARMS)
    assert board.duel("v2", "v1").verdict == "better"
    assert board.duel("v1", "v2").verdict == "worse"
    assert board.duel("v1", "v2").gain == -board.duel("v2", "v1").gain
    near = board.duel("v2", "v3")  # 5 : 0, two-sided p .0625
    assert (near.p, near.verdict) == (pytest.approx(0.0625), "open")
    assert all(duel.adjusted >= duel.p for duel in board.duels)
    assert {s.label for s in board.standings if s.contender} == {"v2", "v5", "v3"}
    said = board.statement()
    assert "v2 leads" in said
    assert "better than v1, v4" in said
    assert "not settled against v5, v3" in said
    with pytest.raises(StudyError, match="no pair"):
        board.duel("v2", "v9")


def test_the_best_of_many_is_said_to_be_partly_luck() -> None:
    """20 equal versions: nobody is shown better, and the note says how good the best appears by
    luck.
    """
    rng = np.random.default_rng(0)
    board = leaderboard(
        [arm(f"v{i}", (rng.random(50) < 0.7).astype(float).tolist()) for i in range(20)]
    )
    assert all(duel.verdict == "open" for duel in board.duels)
    assert "The best of 20 equal versions would appear up to" in " ".join(board.notes)


def test_a_leader_whose_answers_were_not_all_scored_is_said_to_be() -> None:
    """Whose hard examples have no score leads on the others: the sentence says how many."""
    board = leaderboard([arm("v1", [1.0] * 5 + [None] * 3), arm("v2", [1.0] * 6 + [0.0] * 2)])
    assert board.statement().startswith("v1 leads on exact with 100.0 % (95 % interval 56.6 to")
    assert "; 3 of 8 examples not scored); " in board.statement()
    whole = leaderboard([arm("v1", [1.0] * 5 + [0.0] * 3), arm("v2", [1.0] * 6 + [0.0] * 2)])
    assert "not scored" not in whole.statement()


def test_a_leaderboard_says_what_it_mixes() -> None:
    """Other examples, unknown cost, an uncalibrated judge; one arm alone; no arm, twins and other
    scorer versions are refused.
    """
    notes = " ".join(leaderboard([arm("v1", share(10, 5), 0.1), arm("v2", share(20, 5))]).notes)
    assert "not scored on the same examples (10 to 20)" in notes
    assert "cost of some arms is unknown" in notes
    judge = leaderboard(
        [arm("v1", share(10, 5), kind="judge"), arm("v2", share(10, 6), kind="judge")]
    )
    assert "uncalibrated judge" in " ".join(judge.notes)
    alone = leaderboard([arm("v1", share(10, 5))])
    assert (alone.duels, alone.standings[0].rank) == ((), 1)
    assert alone.statement().startswith("v1 leads")
    unscored = leaderboard([arm("v1", [None, None]), arm("v2", share(2, 1))])
    assert unscored.standings[-1].label == "v1"
    assert unscored.standings[-1].primary.unscored == 2
    for arms, error, match in (
        ([], StudyError, "at least one"),
        ([arm("v1", share(2, 1)), arm("v1", share(2, 1))], StudyError, "two arms"),
        ([Arm("p", "v1", {})], StudyError, "no scores"),
        (
            [arm("v1", share(2, 1)), arm("v2", share(2, 1), versions=("2",))],
            StatisticsError,
            "different versions",
        ),
    ):
        with pytest.raises(error, match=match):
            leaderboard(arms)


def test_clusters_count_once_in_a_leaderboard() -> None:
    """30 wins in two clusters are two wins."""
    arms = [arm("v1", share(30, 0)), arm("v2", share(30, 30))]
    assert leaderboard(arms).duels[0].verdict == "better"
    grouped = leaderboard(arms, clusters={f"e{i:03d}": f"c{i % 2}" for i in range(30)})
    assert grouped.duels[0].verdict == "open"


@pytest.mark.benchmark
@pytest.mark.parametrize(("binary", "seconds"), [(True, 2.0), (False, 20.0)])
def test_a_leaderboard_of_20_versions_is_quick(binary: bool, seconds: float) -> None:
    """20 versions x 10,000 examples x 5 scorers: 2 s for 0/1 scores, 20 s for continuous ones."""
    rng, names, ones = np.random.default_rng(0), [f"e{i}" for i in range(10_000)], np.ones(10_000)

    def outcomes() -> Outcomes:
        values = (rng.random(10_000) < 0.7).astype(float) if binary else rng.random(10_000)
        return Outcomes(names, values, ones, ones, np.full(10_000, np.nan), binary)

    arms = [Arm(f"p{i}", f"v{i}", {f"s{j}": outcomes() for j in range(5)}) for i in range(20)]
    leaderboard(arms[:2])
    began = time.perf_counter()
    board = leaderboard(arms)
    assert time.perf_counter() - began <= seconds
    assert len(board.duels) == 190


# -- slices


def tagged(rows: dict[str, tuple[float, float, str]], **more: Any) -> ComparisonFacts:
    arms = [
        Arm(
            f"p{side}",
            f"v{2 - side}",
            {"exact": Outcomes.of({name: [row[side]] for name, row in rows.items()})},
        )
        for side in (0, 1)
    ]
    return compare(
        arms[0],
        arms[1],
        grounds=ComparisonContext(
            tags={name: row[2].split() for name, row in rows.items()}, **more
        ),
    )


def mixed() -> dict[str, tuple[float, float, str]]:
    rows = {f"m{i}": (1.0, 0.0 if i < 40 else 1.0, "math") for i in range(80)}
    rows |= {f"l{i}": (0.0 if i < 12 else 1.0, 1.0, "logic hard") for i in range(20)}
    rows |= {"one": (1.0, 1.0, "rare")}
    return rows


def test_a_win_that_loses_in_a_task_is_said() -> None:
    """40 won in math, 12 lost in logic: promotable overall, and the loss stands first, in words."""
    found = slices(tagged(mixed()))
    assert found.overall > 0
    assert [row.tag for row in found.rows] == ["hard", "logic", "math"]
    assert [row.tag for row in found.against] == ["hard", "logic"]
    assert found.simpson[1].startswith(
        "v2 wins overall but loses in logic: −60.0 points on 20 examples (0 won, 12 lost; marked)"
    )
    assert found.rows[0].marked
    assert "Exploratory" in found.note
    assert list(found.frame.index) == ["hard", "logic", "math"]


def test_slices_are_corrected_and_a_small_loss_is_not_marked() -> None:
    """One lost example in a slice is reported and not marked; q is never below p; a slice of one
    example is left out.
    """
    rows = mixed() | {f"c{i}": (0.0 if i < 1 else 1.0, 1.0, "code") for i in range(9)}
    found = slices(tagged(rows))
    code = next(row for row in found.rows if row.tag == "code")
    assert not code.marked
    assert "not beyond luck" in next(text for text in found.simpson if " code:" in text)
    assert all(row.q >= row.p for row in found.rows)
    assert "rare" not in {row.tag for row in found.rows}
    none = slices(tagged({name: (b, a, "") for name, (b, a, _) in rows.items()}))
    assert (none.rows, none.simpson, len(none.frame)) == ((), (), 0)


def test_a_loss_that_wins_in_a_task_is_said_too() -> None:
    """The other way round."""
    rows = {name: (a, b, tags) for name, (b, a, tags) in mixed().items()}
    found = slices(tagged(rows))
    assert "v2 loses overall but wins in" in found.simpson[0]


def test_examples_that_moved_are_told_from_luck_by_their_repeats() -> None:
    """10 of 10 against 0 of 10 is marked, 6 against 5 is not, and one answer each never is."""
    rows = {
        "fell": (0, 10),
        "rose": (10, 0),
        "luck": (5, 6),
        **{f"same{i}": (10, 10) for i in range(20)},
    }
    arms = []
    for side in (0, 1):
        outcomes = {
            name: [1.0] * counts[side] + [0.0] * (10 - counts[side])
            for name, counts in rows.items()
        }
        arms.append(Arm(f"p{side}", f"v{2 - side}", {"exact": Outcomes.of(outcomes)}))
    found = {row.example: row for row in moved(compare(arms[0], arms[1]))}
    assert list(found) == ["fell", "luck", "rose"]
    assert {name: row.marked for name, row in found.items()} == {
        "fell": True,
        "luck": False,
        "rose": True,
    }
    assert (found["fell"].candidate_passed, found["fell"].baseline_passed, found["fell"].gain) == (
        0,
        10,
        -1.0,
    )
    once = moved(tagged(mixed()))
    assert len(once) == 52
    assert not any(row.marked for row in once)
    free = tagged({"a": (0.5, 0.2, ""), "b": (0.5, 0.3, "")})
    with pytest.raises(StatisticsError, match="not 0 or 1"):
        moved(free)


def test_an_interval_is_that_of_the_comparison() -> None:
    """Cut to the range of a share: 95 % of 14 examples in three clusters ended at 137.8 % here, and
    at 100 in the comparison.
    """
    one = arm("v1", share(14, 11))
    two = arm("v2", share(14, 9))
    clusters = {f"e{i:03d}": f"g{i // 5}" for i in range(14)}
    board = leaderboard([one, two], clusters=clusters)
    figures = compare(two, one, grounds=ComparisonContext(clusters=clusters)).primary
    for label, interval in (("v1", figures.baseline_interval), ("v2", figures.candidate_interval)):
        score = next(s.primary for s in board.standings if s.label == label)
        assert interval is not None
        assert (score.low, score.high) == interval
        assert interval[1] <= 1

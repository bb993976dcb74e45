"""The door: two columns of a table that somebody already has, wide or long, answers or scores, and
every odd table there is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from promptops.errors import DatasetError, PromptOpsError, StatisticsError, StudyError
from promptops.lab import Dataset, Lab, compare
from promptops.scorers import equals, length, scorer

MakeLab = Callable[..., Lab]


def wide(n: int = 40) -> list[dict[str, Any]]:
    """B is right on all, A on three of four; A alone on none."""
    return [
        {
            "question": f"q{i}",
            "old": "yes" if i % 4 else "no",
            "new": "Yes",
            "gold": "yes",
            "topic": "even" if i % 2 == 0 else "odd",
        }
        for i in range(n)
    ]


def long(n: int = 40, repeats: int = 1) -> list[dict[str, Any]]:
    return [
        {
            "id": f"q{i}",
            "model": name,
            "answer": row[name],
            "gold": "yes",
            "question": row["question"],
        }
        for i, row in enumerate(wide(n))
        for name in ("old", "new")
        for _ in range(repeats)
    ]


@pytest.mark.parametrize("kind", ["frame", "rows", "csv", "jsonl", "json", "xlsx", "parquet"])
def test_one_line_says_the_same_of_any_table(kind: str, tmp_path: Path) -> None:
    """A DataFrame, a list, and a file of each format: 10 more of 40, by luck 1 in 1,000, nobody got
    worse, and the scorer is said.
    """
    frame = pd.DataFrame(wide())
    path = tmp_path / f"results.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in wide()), encoding="utf-8")
    elif kind == "json":
        path.write_text(json.dumps(wide()), encoding="utf-8")
    elif kind == "xlsx":
        frame.to_excel(path, index=False)
    elif kind == "parquet":
        frame.to_parquet(path)
    table: Any = {"frame": frame, "rows": wide()}.get(kind, path)
    found = compare(table, baseline="old", candidate="new", expected="gold")
    assert (found.primary.wins, found.primary.losses, found.primary.n) == (10, 0, 40)
    assert "new is right on 10 more of 40 examples than old" in found.plainly()
    assert "1 in 1,000" in found.plainly()
    assert "No example got worse" in found.plainly()
    assert any("Scored by exact(expected)" in sentence for sentence in found.notes)
    assert found.verdict.decision == "promote"


def test_the_worse_examples_are_named() -> None:
    """Turned round, the ten that got worse stand in the sentence, and all of them in `worse()`."""
    found = compare(wide(), baseline="new", candidate="old", expected="gold")
    assert len(found.worse()) == 10
    assert "These 10 got worse: row-1," in found.plainly()
    assert found.plainly() in repr(found)
    assert "row-1" in found._repr_html_()


def test_a_long_table_finds_its_columns() -> None:
    """One row an answer: the version, answer and id columns are found and said; repeats of an
    example are averaged.
    """
    found = compare(long(), baseline="old", candidate="new", expected="gold")
    assert (found.primary.wins, found.primary.losses, found.primary.n) == (10, 0, 40)
    assert any("'model'" in sentence for sentence in found.notes)
    thrice = compare(
        long(repeats=3),
        baseline="old",
        candidate="new",
        expected="gold",
        version="model",
        output="answer",
        id="id",
    )
    assert (thrice.primary.n, thrice.primary.repeats) == (40, 3)
    assert thrice.primary.p_better == pytest.approx(found.primary.p_better)


def test_an_example_that_one_arm_was_not_asked_is_unpaired() -> None:
    """It is counted and said, never dropped and never 0."""
    rows = [row for row in long() if not (row["model"] == "old" and row["id"] == "q3")]
    found = compare(rows, baseline="old", candidate="new", expected="gold")
    assert (found.primary.n, found.primary.only_candidate) == (39, 1)
    assert any("Not in both arms" in note for note in found.notes)


@pytest.mark.parametrize(
    ("gold", "answer", "name"),
    [
        ("12", "So it is 12.", "number_close(expected)"),
        (1234.5, "The answer is $1,234.50.", "number_close(expected)"),
        ("(B)", "The answer is (B).", "choice"),
        ({"a": 1}, '{"a": 1}', "json_equals"),
        ("Paris", "paris.", "exact(expected)"),
        ("Paris", "The capital of that country is, as everybody who went to school there knows, Paris.", "contains"),
        ("It is a city on the Seine with two million people", "It is a city on the Seine with two million peoples", "similar_to(expected)>=0.8"),
    ],
)  # fmt: skip
def test_the_scorer_fits_the_golden_answers(gold: Any, answer: str, name: str) -> None:
    """Numbers, letters, JSON, short labels, short ones in long prose, texts: each gets what fits,
    says so, and judges rightly.
    """
    rows = [
        {"q": f"q{i}", "a": "nonsense that is wrong", "b": answer, "gold": gold} for i in range(8)
    ]
    found = compare(rows, baseline="a", candidate="b", expected="gold")
    assert found.primary_name.startswith(name)
    assert (found.primary.candidate, found.primary.baseline) == (1.0, 0.0)
    assert name in found.notes[0]


def test_scores_are_compared_as_they_are(tmp_path: Path) -> None:
    """Numbers from 0 to 1 or true and false, also as text in a CSV; other numbers are refused with
    what to do.
    """
    rows = [{"id": f"x{i}", "a": i / 100, "b": (i + 3) / 100} for i in range(60)]
    assert compare(rows, baseline="a", candidate="b").primary.gain == pytest.approx(0.03)
    pd.DataFrame({"a": [True, False] * 10, "b": [True] * 20}).to_csv(
        tmp_path / "s.csv", index=False
    )
    assert compare(tmp_path / "s.csv", baseline="a", candidate="b").primary.wins == 10
    with pytest.raises(StudyError, match="outside 0 to 1"):
        compare([{"id": "x", "a": 3, "b": 5}], baseline="a", candidate="b")


def test_0_and_1_are_answers_where_the_golden_ones_are() -> None:
    """A column of golden labels that was found by its name makes 0 and 1 answers, not scores; that
    is said.
    """
    rows = [{"q": f"q{i}", "a": 1, "b": i % 2, "label": i % 2} for i in range(20)]
    found = compare(rows, baseline="a", candidate="b")
    assert (found.primary.candidate, found.primary.baseline) == (1.0, 0.5)
    assert any("taken from the column 'label'" in sentence for sentence in found.notes)


def test_scorers_of_your_own_several_and_slices() -> None:
    """The first decides; a function is one; topics and groups are columns."""

    @scorer(name="long_enough", version="1")
    def long_enough(output: str) -> bool:
        return len(output) > 2

    found = compare(
        wide(),
        baseline="old",
        candidate="new",
        expected="gold",
        scorer=[equals(ignore_case=True), length(at_most=9), long_enough],
        tags="topic",
    )
    assert found.primary.wins == 10
    assert len(found.scorers) == 3
    assert {row.tag for row in found.slices().rows} == {"even", "odd"}
    grouped = compare(wide(), baseline="old", candidate="new", expected="gold", cluster="topic")
    assert grouped.primary.clusters == 2


def test_kept_in_a_lab_it_is_a_study(make_lab: MakeLab) -> None:
    """The same figures, twice the same study, and a report; an answer that never came stays
    unscored.
    """
    rows = wide()
    rows[5]["old"] = None
    found = compare(rows, baseline="old", candidate="new", expected="gold")
    assert any("1 cell of old is empty" in sentence for sentence in found.notes)
    lab = make_lab()
    study = found.keep(lab, prompt="q")
    assert found.keep(lab, prompt="q").id == study.id
    kept = study.compare(candidate="new", baseline="old")
    assert (
        (kept.primary.n, kept.primary.wins, kept.primary.losses)
        == (found.primary.n, found.primary.wins, found.primary.losses)
        == (39, 10, 0)
    )
    assert study.report().exists()


def test_the_page_is_one_file_that_loads_and_runs_nothing(tmp_path: Path) -> None:
    """Hostile texts are shown as text; the page's own policy allows no script."""
    rows = [
        {
            "q": "<script>alert(1)</script>",
            "a": "<img src=x onerror=alert(1)>",
            "b": "ok",
            "gold": "ok",
        }
        for _ in range(6)
    ]
    text = (
        compare(rows, baseline="a", candidate="b", expected="gold")
        .report(tmp_path / "deep" / "r.html")
        .read_text(encoding="utf-8")
    )
    assert "<script" not in text
    assert "<img" not in text
    assert "default-src 'none'" in text
    assert "&lt;script&gt;" in text
    assert "got better" in text


@pytest.mark.parametrize(
    ("rows", "arguments", "error", "says"),
    [
        ([], {"baseline": "a", "candidate": "b"}, StudyError, "no rows"),
        ([{"x": 1}], {"baseline": "a", "candidate": "b"}, StudyError, "no column 'a'"),
        ([{"a": "x", "b": "y"}], {"baseline": "a", "candidate": "a"}, StudyError, "with itself"),
        ([{"a": "x", "b": "y"}], {"baseline": "a", "candidate": "b"}, StudyError, "what a good answer is"),
        ([{"a": "x", "b": "y", "g": "x"}], {"baseline": "a", "candidate": "b", "expected": "gold"}, StudyError, "no column 'gold'"),
        ([{"a": "x", "b": "y"}], {"baseline": "a", "candidate": "b", "tgas": "q"}, TypeError, "did you mean tags="),
        ([{"id": "1", "a": "x", "b": "y"}, {"id": "1", "a": "x", "b": "y"}], {"baseline": "a", "candidate": "b", "scorer": length(at_most=3)}, DatasetError, "1"),
        ([{"id": 1, "version": "a", "output": "x"}], {"baseline": "a", "candidate": "b", "version": "version"}, StudyError, "no row has 'b'"),
        ([{"id": 1, "version": "a"}, {"id": 1, "version": "b"}], {"baseline": "a", "candidate": "b"}, StudyError, "the column of the outputs is not named"),
        ("nothing.csv", {"baseline": "a", "candidate": "b"}, DatasetError, "no file"),
    ],
)  # fmt: skip
def test_a_table_that_does_not_work_says_why(
    rows: Any, arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    """One sentence that names the thing and what to do."""
    with pytest.raises(error) as raised:
        compare(rows, **arguments)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("a", "b", "decision", "says"),
    [
        ([1.0], [0.0], "inconclusive", "1 fewer of 1 example "),
        ([0.0], [1.0], "inconclusive", "1 more of 1 example "),
        ([1.0] * 30, [1.0] * 30, "inconclusive", "not one example differs"),
        ([0.5] * 30, [0.5] * 30, "inconclusive", "not one example differs"),
        ([0.2] * 30, [0.7] * 30, "promote", "+50.0 points"),
        ([0.0] * 4, [1.0] * 4, "inconclusive", "1 in 16"),
        ([0.0] * 5, [1.0] * 5, "promote", "1 in 32"),
        ([None] * 5, [1.0] * 5, "inconclusive", "cannot be compared"),
        ([0.0] * 97 + [None] * 3, [1.0] * 100, "inconclusive", "97 more of 97"),
        ([0.0] * 98 + [None] * 2, [1.0] * 100, "promote", "98 more of 98"),
        ([math.nan] * 3 + [0.0] * 97, [1.0] * 100, "inconclusive", "97 more of 97"),
    ],
)  # fmt: skip
def test_degenerate_scores_answer_well(
    a: list[Any], b: list[Any], decision: str, says: str
) -> None:
    """n = 1, all ties, constant scores, too few disagreements, NaN, unscored pairs: a true sentence
    and an honest verdict.
    """
    rows = [{"id": f"x{i}", "a": x, "b": y} for i, (x, y) in enumerate(zip(a, b, strict=True))]
    if all(value is None for value in a):
        found = compare(
            [
                {**row, "a": row["a"] if i else 1.0, "b": row["b"] if i else None}
                for i, row in enumerate(rows)
            ],
            baseline="a",
            candidate="b",
        )
    else:
        found = compare(rows, baseline="a", candidate="b")
    assert says in found.statement()
    assert found.verdict.decision == decision
    assert found._repr_html_()
    assert found.markdown()
    assert not found.frame.empty


def test_one_cluster_gives_no_interval_and_no_verdict() -> None:
    """A hundred rows of one group are one unit."""
    rows = [{"id": f"x{i}", "a": 0.0, "b": 1.0, "doc": "same"} for i in range(100)]
    found = compare(rows, baseline="a", candidate="b", cluster="doc")
    assert (found.primary.clusters, found.primary.low) == (1, None)
    assert found.verdict.decision == "inconclusive"


def test_nothing_in_common_and_two_versions_of_a_scorer(make_lab: MakeLab) -> None:
    """Disjoint examples, other contents under the same id, and scores of two versions of a scorer:
    each is said, none is mixed.
    """

    def made(version: str) -> Any:
        @scorer(name="mine", version=version)
        def mine(output: str) -> bool:
            return output == "yes"

        return mine

    lab = make_lab()
    one = Dataset.read([{"id": f"a{i}", "q": "x"} for i in range(6)], name="one")
    two = Dataset.read([{"id": f"b{i}", "q": "x"} for i in range(6)], name="two")
    three = Dataset.read([{"id": f"a{i}", "q": "other"} for i in range(6)], name="three")
    version = {
        name: lab.prompt("p").save(f"{name} {{{{q}}}}") for name in ("one", "two", "three", "four")
    }

    def imported(name: str, data: Dataset, edition: str) -> None:
        rows = [{"example_id": example.id, "version": name, "output": "yes"} for example in data]
        lab.import_runs(
            rows, data, [made(edition)], prompt="p", versions={name: version[name]}, name=name
        )

    imported("one", one, "1")
    imported("two", two, "1")
    imported("three", three, "1")
    imported("four", one, "2")
    for other in ("two", "three"):
        with pytest.raises(StudyError, match="no example in common"):
            lab.compare(candidate=version[other], baseline=version["one"])
    with pytest.raises(StatisticsError, match="different versions of the scorer"):
        lab.compare(candidate=version["four"], baseline=version["one"])


def test_arms_of_different_days_and_fingerprints_are_said(make_lab: MakeLab) -> None:
    """What was answered by another model fingerprint, or long before, is told beside the
    verdict.
    """
    lab = make_lab()
    data = Dataset.read([{"id": f"a{i}", "q": "x"} for i in range(20)])
    v1, v2 = lab.prompt("p").save("one {{q}}"), lab.prompt("p").save("two {{q}}")
    rows = [
        {"example_id": f"a{i}", "version": name, "output": "yes"}
        for i in range(20)
        for name in ("v1", "v2")
    ]
    study = lab.import_runs(
        rows, data, [length(at_most=3)], prompt="p", versions={"v1": v1, "v2": v2}
    )
    runs = lab.store.frame("select * from runs").to_dict("records")
    kept = []
    for index, run in enumerate(runs):
        old = run["version_id"] == v1.id
        row = {name: None if value != value else value for name, value in run.items()}
        kept.append(
            {
                **row,
                "id": f"r-x{index:031d}",
                "system_fingerprint": "fp_a" if old else "fp_b",
                "started_at": "2026-01-01T00:00:00" if old else "2026-03-01T00:00:00",
            }
        )
    other = {**study.record.document(), "imported": "again"}
    lab.store.append("runs", kept)
    lab.store.append(
        "studies",
        [
            {
                "id": "s1-other",
                "name": "other",
                "prompt": "p",
                "design": json.dumps(other),
                "created_at": "2026-04-01T00:00:00",
                "author": "x",
            }
        ],
    )
    links = [
        {
            "study_id": "s1-other",
            "arm": "v1" if run["version_id"] == v1.id else "v2",
            "version_id": run["version_id"],
            "example_id": run["example_id"],
            "example_fingerprint": run["example_fingerprint"],
            "repeat": 0,
            "run_id": run["id"],
            "reused": False,
        }
        for run in kept
    ]
    lab.store.append("study_runs", links)
    lab.store.append(
        "scores",
        [
            {
                "run_id": run["id"],
                "example_fingerprint": run["example_fingerprint"],
                "scorer": study.record.scorer_names[0],
                "scorer_version": study.record.scorers[0].version,
                "value": 1.0,
                "passed": True,
                "scored_at": "2026-04-01T00:00:00",
            }
            for run in kept
        ],
    )
    notes = " ".join(lab.study("s1-other").compare(candidate="v2", baseline="v1").notes)
    assert "different model fingerprints (fp_a for v1, fp_b for v2)" in notes
    assert "Recorded 59 days apart" in notes


def test_the_same_input_gives_the_same_bytes() -> None:
    """Frames, statements and pages of two runs are equal, also when a bootstrap is used."""
    rows = [{"id": f"x{i}", "a": (i * 7 % 11) / 11, "b": (i * 5 % 13) / 13} for i in range(200)]
    from promptops.views.table_view import report_html

    first, second = (
        compare(rows, baseline="a", candidate="b"),
        compare(rows, baseline="a", candidate="b"),
    )
    assert first.frame.to_json() == second.frame.to_json()
    assert report_html(first) == report_html(second)


def test_every_error_is_one_of_ours() -> None:
    """Whatever is handed in, nobody meets a stack of another library."""
    for value in (
        None,
        3,
        object(),
        {"a": 1},
        [1, 2],
        "no such file.csv",
        Path("x.pkl"),
        [{}],
        [{"a": object(), "b": 1}],
    ):
        with pytest.raises(PromptOpsError):
            compare(value, baseline="a", candidate="b", expected="c")


@pytest.mark.parametrize("share", [0, 1, 2, 4])
def test_answers_that_wrap_the_golden_one_are_not_called_wrong(share: int) -> None:
    """From a fifth of all answers on the guess is `contains`; below it stays exact match."""
    rows = [
        {"id": f"e{i}", "gold": f"{i} days", "b": f"{i} days", "a": f"{i} days"} for i in range(40)
    ]
    for row in rows[: share * 8]:
        row["a"] = f"Thank you! It is {row['gold']}."
    found = compare(rows, baseline="a", candidate="b", expected="gold")
    assert found.primary_name.startswith("contains" if share >= 2 else "exact")
    assert share < 2 or found.statement().count("0 won, 0 lost")


def long_rows(**odd: Any) -> list[dict[str, Any]]:
    """A long table of 20 examples, b being right on more of them; odd: changes by row number."""
    rows = [
        {"id": i, "version": v, "output": "x" if v == "b" or i % 3 else "z", "expected": "x"}
        for i in range(20)
        for v in ("a", "b")
    ]
    return [{**row, **odd.get(f"row{place}", {})} for place, row in enumerate(rows)]


def test_an_id_of_two_examples_is_refused() -> None:
    """Ids that begin again with each task would judge one task's answers by another's golden
    ones: no verdict is made of that.
    """
    rows = [*long_rows(), *({**row, "expected": "z"} for row in long_rows())]
    with pytest.raises(StudyError, match="the example '0' has two golden answers in the column"):
        compare(rows, baseline="a", candidate="b")
    with pytest.raises(StudyError, match="has two golden answers"):
        compare(rows, baseline="a", candidate="b", expected="expected")


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_row_without_an_id_is_refused(missing: Any) -> None:
    """Rows without an id are not repeats of one example."""
    with pytest.raises(StudyError, match="row 6 of the table has no 'id'"):
        compare(long_rows(row5={"id": missing}), baseline="a", candidate="b")


def test_a_golden_answer_that_one_row_leaves_out_is_that_of_the_other() -> None:
    """Only the candidate's row has it: it holds for both."""
    odd = {f"row{2 * i}": {"expected": None} for i in range(20)}
    found = compare(long_rows(**odd), baseline="a", candidate="b")
    assert (found.primary.n, found.primary.wins) == (20, 7)

"""Every claim of a history is judged by the exact test on shared examples, by Holm over all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from promptops.cli.__main__ import group
from promptops.dataset.example import Example
from promptops.errors import DatasetError, StudyError
from promptops.exchange import Imported, ImportedRun
from promptops.exchange.audit import audit, audit_files
from promptops.exchange.audit_page import audit_page
from promptops.exchange.compare_runs import compared_runs
from promptops.lab import compare

FILES = Path(__file__).parent / "files"


def run_of(label: str, scores: list[float | None], first: int = 0) -> Imported:
    examples = tuple(Example(f"e{n}", {"q": f"q{n}"}) for n in range(first, first + len(scores)))
    runs = tuple(
        ImportedRun(example.id, label, "x", {"right": score})
        for example, score in zip(examples, scores, strict=True)
    )
    return Imported("test", "history", (), examples, runs)


def test_claims_hold_reverse_and_cannot_be_told() -> None:
    """a beats b on 30 shared examples for certain; c's mean is from an easy part of its own."""
    a = run_of("a", [1.0] * 30)
    b = run_of("b", [0.0] * 30)
    found = audit([a, b])
    (claim,) = found.claims
    assert (claim.better, claim.worse, claim.judgement) == ("a", "b", "holds")
    assert claim.p == pytest.approx(2 * 0.5**30)
    easy = run_of("easy", [0.0] * 20 + [1.0] * 180)
    hard = run_of("hard", [1.0] * 20)
    worse = run_of("worse", [0.0] * 20 + [0.5] * 80)
    found = audit([easy, worse, run_of("few", [1.0] * 3 + [0.0])])
    assert {claim.judgement for claim in found.claims} >= {"holds", "undecided"}
    turned = audit([run_of("x", [0.0] * 20 + [1.0] * 180), run_of("y", [0.85] * 20)])
    assert [claim.judgement for claim in turned.claims] == ["reversed"]
    assert "1 reversed" in turned.summary()
    assert audit([easy, hard]).claims[0].better == "hard"


def test_holm_counts_the_whole_history() -> None:
    """A p-value that would do alone does not among many."""
    base = [0.0] * 20
    good = [1.0] * 6 + [0.0] * 14  # two-sided p = 2 / 64 = 0.031
    alone = audit([run_of("base", base), run_of("good", good)])
    assert [claim.judgement for claim in alone.claims] == ["holds"]
    others = [run_of(f"o{n}", [1.0] * n + [0.0] * (20 - n)) for n in range(1, 4)]
    many = audit([run_of("base", base), run_of("good", good), *others])
    assert many.count("holds") == 0
    assert many.count("undecided") == len(many.claims) == 10


def test_unscored_answers_are_no_zero_and_disjoint_runs_are_apart() -> None:
    found = audit([run_of("a", [1.0, None, 1.0]), run_of("b", [1.0, 0.0, 0.0])])
    (claim,) = found.claims
    assert claim.figures.n == 2
    assert claim.claimed == (1.0, pytest.approx(1 / 3))
    assert audit([run_of("a", [1.0]), run_of("b", [0.0], first=50)]).apart == 1
    assert audit([run_of("a", [1.0]), run_of("b", [1.0])]).equal == 1


def test_files_of_a_folder_and_what_is_not_read() -> None:
    found = audit_files([FILES])
    assert len(found.claims) >= 2
    assert any("promptfoo_3_prompts.txt" in str(left) for left in found.left)
    with pytest.raises(DatasetError, match="no run"):
        audit_files([FILES / "promptfoo_1_translate.yaml"])


def test_the_page_and_the_documents(tmp_path: Path) -> None:
    page = audit_page(audit([run_of("<b>a", [1.0] * 9), run_of("b", [0.0] * 9)]))
    assert "&lt;b&gt;a" in page
    assert "<script" not in page
    assert "1 claimed improvement: 1 holds" in page
    files = [str(FILES / f"lm_eval_samples_{arm}.jsonl") for arm in "ab"]
    for name in ("audit.html", "audit.json", "audit.tex"):
        done = CliRunner().invoke(group(), ["audit", *files, "-o", str(tmp_path / name)])
        assert done.exit_code == 0
        assert "1 claimed improvement: 0 hold, 0 reversed, 1 undecided." in done.output
    document = json.loads((tmp_path / "audit.json").read_text())
    assert document["claims"][0]["better"] == "lm_eval_samples_b"
    assert document["claims"][0]["shared"] == 3
    assert r"lm\_eval\_samples\_b" in (tmp_path / "audit.tex").read_text()


def test_two_files_are_compared_without_a_lab() -> None:
    arms = [FILES / f"lm_eval_samples_{arm}.jsonl" for arm in "ab"]
    found, table, notes = compared_runs(*arms)
    facts = found.facts
    labels = ("lm_eval_samples_b", "lm_eval_samples_a")
    assert (facts.candidate.label, facts.baseline.label) == labels
    assert (facts.primary.wins, facts.primary.losses, facts.primary.n) == (1, 0, 3)
    assert notes == ()
    assert len(table.dataset) == 3
    same, _, _ = compared_runs(FILES / "inspect_log.eval", FILES / "inspect_log.eval")
    assert (same.facts.primary.n, same.facts.primary.gain) == (3, 0.0)
    with pytest.raises(StudyError, match="holds 2 runs"):
        compared_runs(FILES / "promptfoo_results.json", FILES / "inspect_log.eval")
    with pytest.raises(StudyError, match="share no example"):
        compared_runs(arms[0], FILES / "inspect_log.eval")


def test_compare_takes_two_files_in_place_of_a_table(tmp_path: Path) -> None:
    arms = [str(FILES / f"lm_eval_samples_{arm}.jsonl") for arm in "ab"]
    found = compare(baseline=arms[0], candidate=arms[1])
    assert found.plainly().endswith("No example got worse.")
    assert found.report(tmp_path / "report.html").stat().st_size > 1000
    with pytest.raises(StudyError, match="for a table of answers"):
        compare(baseline=arms[0], candidate=arms[1], expected="target")
    words = ["compare", "--baseline", arms[0], "--candidate", arms[1], "--json"]
    done = CliRunner().invoke(group(), words)
    assert done.exit_code == 0, done.output
    assert "lm_eval_samples_b" in done.output


def files_of(
    tmp_path: Path, asked_of: Callable[[int], str] | None = None, **changes: dict[str, object]
) -> list[Path]:
    """Two runs of 30 documents, all right in the second; changes: file -> fields of its rows."""
    row = json.loads((FILES / "lm_eval_samples_a.jsonl").read_text().splitlines()[0])
    out = []
    for name, right in (("one", 0.0), ("two", 1.0)):
        asked = asked_of or (lambda n: f"question {n * 7}")
        lines = [
            {
                **row,
                "doc_id": n,
                "arguments": {"gen_args_0": {"arg_0": asked(n), "arg_1": {}}},
                "exact_match": right,
                **{key: of[name] for key, of in changes.items() if name in of},
            }
            for n in range(30)
        ]
        out.append(tmp_path / f"samples_{name}.jsonl")
        out[-1].write_text("".join(json.dumps(line) + "\n" for line in lines))
    return out


def test_copies_in_other_tools_files_count_once(tmp_path: Path) -> None:
    """30 documents that ask 3 questions are 3 examples, in an audit and in a comparison."""
    paths = files_of(tmp_path, lambda n: f"question {'abc'[n % 3]}")
    found = compare(baseline=str(paths[0]), candidate=str(paths[1]))
    assert (found.primary.n, found.verdict.decision) == (3, "inconclusive")
    (claim,) = audit_files(paths).claims
    assert (claim.figures.n, claim.judgement) == (3, "undecided")
    (claim,) = audit_files(files_of(tmp_path)).claims
    assert (claim.figures.n, claim.judgement) == (30, "holds")


def test_runs_judged_by_other_golden_answers_are_not_paired(tmp_path: Path) -> None:
    """What changed between them is the golden answers: no claim, and a note that says why."""
    paths = files_of(tmp_path, target={"one": "4", "two": "5"})
    found = audit_files(paths)
    assert (found.claims, found.apart) == ((), 1)
    assert "two has another golden answer than a file before it for 30 examples" in found.notes[0]
    with pytest.raises(StudyError, match="share no example"):
        compared_runs(*paths)
    typed = files_of(tmp_path, target={"one": "4", "two": " 4"})
    assert audit_files(typed).count("holds") == 1


def test_a_measure_of_which_less_is_better_makes_no_claim(tmp_path: Path) -> None:
    """A larger Brier score is no improvement."""
    metric = {name: ["brier_score"] for name in ("one", "two")}
    paths = files_of(tmp_path, metrics=metric, brier_score={"one": 0.1, "two": 0.3})
    found = audit_files(paths)
    assert found.claims == ()
    assert "less of it is better" in str(found.left[0])

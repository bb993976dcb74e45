"""Every claim of a history is judged by the exact test on shared examples, by Holm over all."""

from __future__ import annotations

import json
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

"""A translated assertion judges as promptfoo judges; what would judge otherwise is left."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from promptops.exchange import read_export
from promptops.exchange.promptfoo_checks import Translated, cell_assertion, translated
from promptops.scorers import checks, try_out

sys.path.insert(0, str(Path(__file__).parent))
import promptfoo_table
from promptfoo_table import COUNTS, holds, wrong
from promptfoo_table import DETERMINISTIC as SURE

FILES = Path(__file__).parent / "files"

# (assertion, an answer that passes there, an answer that fails there)
PAIRS: list[tuple[dict[str, Any], str, str]] = [
    ({"type": "equals", "value": "Paris"}, "Paris", "Paris\n"),
    ({"type": "equals", "value": "a.b*"}, "a.b*", "axbb"),
    ({"type": "equals", "value": {"a": 1}}, '{"a": 1}', '{"a": 1, "b": 2}'),
    ({"type": "not-equals", "value": "no"}, "no ", "no"),
    ({"type": "contains", "value": "Rome"}, "in Rome!", "in rome!"),
    ({"type": "contains", "value": " x "}, "a x b", "axb"),
    ({"type": "icontains", "value": "Rome"}, "in rome", "in Paris"),
    ({"type": "not-icontains", "value": "Rome"}, "in Paris", "IN ROME"),
    ({"type": "contains-any", "value": ["A", "B"]}, "xB", "xb"),
    ({"type": "contains-any", "value": "A, B"}, "xB", "xb"),
    ({"type": "contains-all", "value": ["A", "B"]}, "AB", "A"),
    ({"type": "icontains-all", "value": ["A", "B"]}, "ab", "a"),
    ({"type": "not-contains-all", "value": ["A", "B"]}, "A", "AB"),
    ({"type": "starts-with", "value": "Yes"}, "Yes.", " Yes."),
    ({"type": "ends-with", "value": "!"}, "ok!", "ok! "),
    ({"type": "regex", "value": r"\d{3}"}, "a 123", "a 12"),
    ({"type": "is-json"}, '{"a": 1}', "a"),
    ({"type": "is-json", "value": {"required": ["a"]}}, '{"a": 1}', '{"b": 1}'),
    ({"type": "word-count", "value": 2}, "two words", "three words here"),
    ({"type": "word-count", "value": {"min": 2, "max": 3}}, "a b", "a"),
    ({"type": "levenshtein", "value": "hello", "threshold": 1}, "hallo", "world"),
]


@pytest.mark.parametrize(("assertion", "passes", "fails"), PAIRS)
def test_it_judges_as_there(assertion: dict[str, Any], passes: str, fails: str) -> None:
    done = translated(assertion, [], "")
    assert done.checks, done.reason
    for output, wanted in ((passes, True), (fails, False)):
        assert try_out(checks(), output, checks=list(done.checks)).passed is wanted, output


@pytest.mark.parametrize(
    "assertion",
    [
        {"type": "similar", "value": "x", "threshold": 0.8},
        {"type": "javascript", "value": "true"},
        {"type": "llm-rubric", "value": "polite"},
        {"type": "equals", "value": "{{ x | upper }}"},
        {"type": "contains", "value": "{{ other }}"},
        {"type": "contains", "value": "file://x.js"},
        {"type": "is-refusal"},
        {"type": "rouge-n", "value": "x"},
        {"type": "no-such-type"},
        {"type": "not-word-count", "value": {"min": 1, "max": 2}},
        {"type": "regex", "value": "("},
        {"type": "equals", "value": '{"a": 1}'},
    ],
)
def test_what_has_no_equal_is_left_with_a_reason(assertion: dict[str, Any]) -> None:
    done = translated(assertion, ["x"], "")
    assert not done.checks
    assert done.reason


def test_an_assertion_after_a_transform_is_left() -> None:
    wanted = {"type": "contains", "value": "x"}
    assert not translated(wanted, [], "output.a").checks
    assert translated({"type": "is-json"}, [], "JSON.parse(output)").checks
    assert not translated({"type": "is-json"}, [], "output.a").checks
    assert translated({"type": "cost", "threshold": 0.1}, [], "output.a").checks


@pytest.mark.parametrize(
    ("assertion", "passes", "fails"),
    [
        ({"type": "equals", "value": "Paris"}, "\u00a0 Paris\n", "paris"),
        ({"type": "icontains", "value": "rome"}, " in ROME ", "in Paris"),
        ({"type": "not-contains-any", "value": ["A", "B"]}, " ab ", " B "),
    ],
)
def test_an_answer_that_is_trimmed_first(
    assertion: dict[str, Any], passes: str, fails: str
) -> None:
    """`output.trim()` is the one transform that leaves a check of a text what it is."""
    done = translated(assertion, [], "output.trim()")
    for output, wanted in ((passes, True), (fails, False)):
        assert try_out(checks(), output, checks=list(done.checks)).passed is wanted, output
    for left in ({"type": "regex", "value": "^a"}, {"type": "contains", "value": " a"}):
        assert not translated(left, [], "output.trim()").checks


def test_a_threshold_itself_passes_as_there() -> None:
    for kind, limit, run in (("latency", 4000, "latency_ms"), ("cost", 0.002, "cost_usd")):
        done = translated({"type": kind, "threshold": limit}, [], "")
        for value, wanted in ((limit, True), (limit * 1.001, False)):
            judged = try_out(checks(), "x", checks=list(done.checks), run={run: float(value)})
            assert judged.passed is wanted


def test_four_of_five_deterministic_assertions_of_public_configurations_come_over() -> None:
    """The counts of the last run of `promptfoo_table.py --keep`, over promptfoo's examples; the
    verdicts there are held against a second reading, which is tried here on the shared cases.
    """
    kept = json.loads(COUNTS.read_text(encoding="utf-8"))
    sure = {kind: n for kind, n in kept["types"].items() if kind.removeprefix("not-") in SURE}
    done, left = (sum(n[part] for n in sure.values()) for part in (0, 1))
    assert kept["configs"] >= 100
    assert done / (done + left) >= 0.8
    assert kept["wrong"] == 0
    assert kept["compared"] > 5_000
    for assertion, passes, fails in PAIRS:
        found = [holds(assertion["type"], assertion.get("value"), a) for a in (passes, fails)]
        assert found in ([True, False], [None, None]), assertion


def test_verdicts_that_differ_are_named(tmp_path: Path) -> None:
    """Against a translation that is broken on purpose."""
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text("prompts: [x]\ntests: [{ assert: [{ type: contains, value: Rome }] }]\n")
    assert wrong(path)[1] == []
    broken = Translated(("contains: Rome",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(promptfoo_table, "translated", lambda *_: broken)
        assert "there False" in wrong(path)[1][0]


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ("icontains:ahoy", {"type": "icontains", "value": "ahoy"}),
        ("contains: 4", {"type": "contains", "value": "4"}),
        ("is-json", {"type": "is-json"}),
        ("similar(0.8):Four", {"type": "similar", "value": "Four", "threshold": 0.8}),
        ("grade:polite", {"type": "llm-rubric", "value": "polite"}),
        ("not-contains:a", {"type": "not-contains", "value": "a"}),
        ("Paris", {"type": "equals", "value": "Paris"}),
        ("note: this", {"type": "equals", "value": "note: this"}),
    ],
)
def test_a_cell_is_read_as_there(cell: str, wanted: dict[str, Any]) -> None:
    assert cell_assertion(cell) == wanted


def test_the_checks_agree_with_the_recorded_verdicts() -> None:
    """Judged by our checks, the answers of a real run pass where promptfoo passed them."""
    found = read_export(FILES / "promptfoo_results.json")
    examples = {example.id: example for example in found.examples}
    for run in found.runs:
        judged = try_out(checks(), run.output or "", checks=list(examples[run.example].checks))
        assert judged.passed is bool(run.scores["pass"])

"""The catalogue lists every built-in scorer, with an example that runs; names of scores are stable
forever.
"""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from typing import Any

import pytest

import promptops.scorers as scorers
from promptops.errors import ScorerError
from promptops.scorers import CATALOGUE, Case, Entry, Scorer, as_scorer, try_out
from promptops.scorers.rule import Rule

FAMILIES = ("assertion", "semantic", "regression", "judge", "composition")
# exported names that build no scorer
OTHERS = {
    "answer_part",
    "as_scorer",
    "extract_json",
    "last_line",
    "pair_scores",
    "scorer",
    "strip_fences",
    "strip_thinking",
    "try_out",
}


def built(entry: Entry) -> Any:
    return eval(entry.example, dict(vars(scorers)))


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_examples_run(entry: Entry) -> None:
    """Each example builds a scorer that gives, on its output, the value that the catalogue says."""
    found = built(entry)
    assert isinstance(found, Rule)
    assert isinstance(found, Scorer)
    if entry.value is None:
        assert entry.family == "judge"
        assert found.kind == "judge"
        assert found.remote
        return
    judged = try_out(found, entry.output, **entry.given)
    score = judged[0] if isinstance(judged, list) else judged
    assert score.value == entry.value


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_entries_are_complete(entry: Entry) -> None:
    """Family, signature, sentence, range and source are all there; values of `0 or 1` scorers are 0
    or 1.
    """
    assert entry.family in FAMILIES
    assert entry.signature.startswith(f"{entry.name}(")
    assert "'Any'" not in entry.signature
    assert len(entry.doc) > 30
    assert "\n" not in entry.doc + entry.rule
    said = " ".join(inspect.cleandoc(getattr(scorers, entry.name).__doc__).split())
    assert " ".join(f"{entry.doc} {entry.rule}".split()) == said
    assert entry.range in ("0 or 1", "[0, 1]")
    assert entry.source
    assert entry.direction == "higher is better"
    assert re.match(rf"{entry.name}\(", entry.example)


def test_every_scorer_is_listed() -> None:
    """Each public function of the room is in the catalogue once, or is known to build no scorer."""
    functions = {
        name
        for name in scorers.__all__
        if inspect.isfunction(getattr(scorers, name)) or name in OTHERS
    }
    listed = [entry.name for entry in CATALOGUE]
    assert len(listed) == len(set(listed))
    assert set(listed) == functions - OTHERS


def test_all_is_what_is_visible() -> None:
    """`__all__` is sorted, without doubles, and every name is there."""
    assert sorted(scorers.__all__) == sorted(set(scorers.__all__))
    assert all(hasattr(scorers, name) for name in scorers.__all__)


@pytest.mark.parametrize(
    "entry",
    [entry for entry in CATALOGUE if entry.family != "composition"],
    ids=lambda entry: entry.name,
)
def test_functions_that_are_not_called_are_refused(entry: Entry) -> None:
    """`scorers=[contains]` says that it must be called."""
    with pytest.raises(ScorerError, match="is a scorer factory"):
        as_scorer(getattr(scorers, entry.name))


NAMES = {
    "json_valid": "json_valid",
    "json_has": "json_has(user.id)",
    "json_schema": 'json_schema({"type": "object"})',
    "json_equals": "json_equals(expected)",
    "number_close": "number_close(expected)",
    "choice": "choice(ABCD)",
    "answer_after": "answer_after(So the answer is)",
    "refuses": "refuses",
    "does_not_refuse": "does_not_refuse",
    "finish_reason": "finish_reason(stop)",
    "tool_called": "tool_called(weather)",
    "tool_arguments": 'tool_arguments(weather, {"city": "Oslo", "days": 3})',
    "tool_sequence": "tool_sequence(weather)",
    "no_pii": "no_pii",
    "latency_below": "latency_below(2000)",
    "cost_below": "cost_below(0.01)",
    "tokens_below": "tokens_below(200)",
    "instruction": 'instruction("punctuation:no_comma")',
    "instructions": "instructions()",
    "checks": "checks",
    "similar_meaning": "similar_meaning(expected, by=lexical)",
    "classified": "classified(upper, YES)",
    "similar_to": "similar_to(expected)>=0.9",
    "exact": "exact(expected)",
    "rouge_l": "rouge_l(expected)",
    "chrf": "chrf(expected)",
    "edit_distance": "edit_distance(expected)",
    "unchanged_from": "unchanged_from(p1-0000000000000000)>=1",
    "not_": "not_(contains(sorry))",
    "all_of": "all_of(contains(a), length(at_most=3))",
    "any_of": "any_of(equals(yes), equals(no))",
    "weighted": "weighted(contains(a)*3, contains(b)*1)",
    "gated_by": "gated_by(json_valid, contains(a))",
    "per_field": "per_field(a=equals(expected), b=equals(expected))",
    "after": "after(strip_fences, json_valid)",
    "rubric": "rubric(Is it polite?)",
    "pairwise": "pairwise(more helpful, against=p1-0000000000000000)",
    "answer_relevance": "answer_relevance",
    "faithfulness": "faithfulness(context)",
}


@pytest.mark.parametrize("name", NAMES)
def test_names_are_stable(name: str) -> None:
    """The names in scores are an interface: a changed one would orphan every old score."""
    entry = next(entry for entry in CATALOGUE if entry.name == name)
    assert built(entry).name == NAMES[name]


def test_versions_are_stable_across_processes() -> None:
    """Names and versions of the whole catalogue are the same in a fresh interpreter."""
    code = (
        "import promptops.scorers as s\nfor e in s.CATALOGUE:\n    r = eval(e.example,"
        " dict(vars(s)))\n    print(r.name, r.version)\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout.splitlines() == [
        f"{built(entry).name} {built(entry).version}" for entry in CATALOGUE
    ]


def test_import_is_light() -> None:
    """Importing the room loads nothing heavy: those are imported by the scorer that needs them,
    when it is built.
    """
    code = (
        "import sys; from promptops.scorers import *;"
        " print([m for m in sys.argv[1:] if m in sys.modules])"
    )
    heavy = [
        "numpy",
        "scipy",
        "pandas",
        "openai",
        "duckdb",
        "plotly",
        "rapidfuzz",
        "jsonschema_rs",
        "nltk",
        "sacrebleu",
        "re2",
        "regex",
    ]
    done = subprocess.run(
        [sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_scorer_comes_alone() -> None:
    """Importing one scorer does not import the modules of the others."""
    code = (
        "import sys; from promptops.scorers import equals;"
        " print([m for m in sys.argv[1:] if 'promptops.scorers.' + m in sys.modules])"
    )
    others = ["catalogue", "composition", "embedding", "ifeval", "judging", "numbers", "row_checks"]
    done = subprocess.run(
        [sys.executable, "-c", code, *others, "assertion"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "['assertion']"


def test_a_missing_extra_is_said_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """rouge_l and chrf name the extra that they need when they are built without it."""
    for module, build in (
        ("rouge_score.rouge_scorer", scorers.rouge_l),
        ("sacrebleu.metrics.chrf", scorers.chrf),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ImportError, match=r"pip install 'promptops-toolkit\[text\]'"):
            build()


def test_try_out() -> None:
    """A scorer is tried on one answer, with golden answer, columns, recorded fields and reference;
    async ones are waited for.
    """

    async def waits(output: str, run: Any, reference: Any) -> bool:
        return output == "a" and run.cost_usd == 0.5 and reference.output == "b"

    found = try_out(waits, "a", run={"cost_usd": 0.5}, reference="b")
    assert not isinstance(found, list)
    assert found.passed
    with pytest.raises(ValueError, match="boom"):
        try_out(raising, "a")
    assert isinstance(Case, type)


def raising(output: str) -> bool:
    raise ValueError("boom")

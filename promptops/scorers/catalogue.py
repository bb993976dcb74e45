"""The catalogue: every built-in scorer with its signature, what it says, its range, where it comes
from, and an example that runs.

Every value is in [0, 1] and higher is better, for all of them. Signature and sentence are taken
from the function itself, so that the catalogue cannot say what the code does not.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import (
    assertion,
    chosen,
    composition,
    fields,
    ifeval,
    meaning,
    numbers,
    overlap,
    pairs,
    patterns,
    pii,
    rating,
    refusal,
    regression,
    retrieval,
    semantic,
    structure,
    tools,
    usage,
)
from .row_checks import checks

__all__ = ["CATALOGUE", "Entry"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One scorer of the catalogue.

    family: "assertion" | "semantic" | "regression" | "judge" | "composition"; signature: as Python
    prints it; doc: its first paragraph on one line; rule: the rest of it; example: an expression
    over the names of `promptops.scorers`; output, given: what it is tried on with `try_out(example,
    output, **given)`; value: what it then gives, None where a model has to be asked; range: "0 or
    1" or "[0, 1]"; source: where the rule comes from. Higher is better in every one.
    """

    name: str
    family: str
    signature: str
    doc: str
    example: str
    output: str
    value: float | None
    range: str
    source: str
    given: Mapping[str, Any] = field(default_factory=dict)
    direction: str = "higher is better"
    rule: str = ""


_OWN = "promptops"
_IFEVAL = "IFEval, arXiv:2311.07911"
_RAPIDFUZZ = "rapidfuzz"
_CALL = (
    '[{"function": {"arguments": "{\\"city\\": \\"Oslo\\"}", "name": "weather"}, "id": "1", "type":'
    ' "function"}]'
)
_INSTRUCTIONS = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
_OTHER = 'unchanged_from("p1-00000000000000000000000000000000")'
_PAIR = 'pairwise("more helpful", "p1-00000000000000000000000000000000")'

# (function, family, example, output, value, "0 or 1" | "[0, 1]", source, given)
_LISTED: tuple[
    tuple[Callable[..., Any], str, str, str, float | None, bool, str, dict[str, Any]], ...
] = (
    (assertion.equals, "assertion", "equals()", "Paris", 1.0, True, _OWN, {"expected": "Paris"}),
    (assertion.contains, "assertion", 'contains("refund")', "We REFUND you.", 1.0, True, _OWN, {}),
    (
        assertion.contains_any,
        "assertion",
        'contains_any("refund", "money back")',
        "Your money back.",
        1.0,
        True,
        _OWN,
        {},
    ),
    (
        assertion.contains_all,
        "assertion",
        'contains_all("name", "date")',
        "The date is set.",
        0.5,
        False,
        _OWN,
        {},
    ),
    (
        assertion.starts_with,
        "assertion",
        'starts_with("Dear")',
        "Dear Ms Lee,",
        1.0,
        True,
        _OWN,
        {},
    ),
    (
        assertion.ends_with,
        "assertion",
        'ends_with("regards.")',
        "Kind regards.",
        1.0,
        True,
        _OWN,
        {},
    ),
    (
        patterns.matches,
        "assertion",
        'matches(r"\\d{3}")',
        "Call 911",
        1.0,
        True,
        "google-re2, regex",
        {},
    ),
    (
        assertion.word_count,
        "assertion",
        "word_count(at_most=3)",
        "one two three four",
        0.0,
        True,
        _OWN,
        {},
    ),
    (assertion.length, "assertion", "length(at_most=280)", "short", 1.0, True, _OWN, {}),
    (assertion.one_of, "assertion", 'one_of("yes", "no")', " Yes ", 1.0, True, _OWN, {}),
    (structure.json_valid, "assertion", "json_valid()", '{"a": 1}', 1.0, True, "RFC 8259", {}),
    (
        structure.json_has,
        "assertion",
        'json_has("user.id")',
        '{"user": {"id": 7}}',
        1.0,
        True,
        _OWN,
        {},
    ),
    (
        fields.json_schema,
        "assertion",
        'json_schema({"type": "object"})',
        "[]",
        0.0,
        True,
        "JSON Schema, jsonschema-rs",
        {},
    ),
    (
        fields.json_equals,
        "assertion",
        "json_equals()",
        '{"a": 1, "b": 3}',
        0.5,
        False,
        _OWN,
        {"expected": {"a": 1, "b": 2}},
    ),
    (
        numbers.number_close,
        "assertion",
        "number_close()",
        "The answer is $1,234.50.",
        1.0,
        True,
        _OWN,
        {"expected": 1234.5},
    ),
    (
        chosen.choice,
        "assertion",
        "choice()",
        "The answer is (B).",
        1.0,
        True,
        _OWN,
        {"expected": "B"},
    ),
    (
        chosen.answer_after,
        "assertion",
        'answer_after("So the answer is")',
        "So the answer is 42.",
        1.0,
        True,
        _OWN,
        {"expected": "42"},
    ),
    (
        refusal.refuses,
        "assertion",
        "refuses()",
        "I'm sorry, but I can't help with that.",
        1.0,
        True,
        _OWN,
        {},
    ),
    (
        refusal.does_not_refuse,
        "assertion",
        "does_not_refuse()",
        "Here is how.",
        1.0,
        True,
        _OWN,
        {},
    ),
    (
        usage.finish_reason,
        "assertion",
        'finish_reason("stop")',
        "cut",
        0.0,
        True,
        _OWN,
        {"run": {"finish_reason": "length"}},
    ),
    (
        tools.tool_called,
        "assertion",
        'tool_called("weather")',
        "",
        1.0,
        True,
        _OWN,
        {"run": {"tool_calls": _CALL}},
    ),
    (
        tools.tool_arguments,
        "assertion",
        'tool_arguments("weather", {"city": "Oslo", "days": 3})',
        "",
        0.5,
        False,
        _OWN,
        {"run": {"tool_calls": _CALL}},
    ),
    (
        tools.tool_sequence,
        "assertion",
        'tool_sequence("weather")',
        "",
        1.0,
        True,
        _OWN,
        {"run": {"tool_calls": _CALL}},
    ),
    (
        pii.no_pii,
        "assertion",
        "no_pii()",
        "Write to lee@example.com",
        0.0,
        True,
        "patterns; Luhn, ISO 7064",
        {},
    ),
    (
        usage.latency_below,
        "assertion",
        "latency_below(2000)",
        "",
        1.0,
        True,
        _OWN,
        {"run": {"latency_ms": 350.0}},
    ),
    (
        usage.cost_below,
        "assertion",
        "cost_below(0.01)",
        "",
        0.0,
        True,
        _OWN,
        {"run": {"cost_usd": 0.02}},
    ),
    (
        usage.tokens_below,
        "assertion",
        "tokens_below(200)",
        "",
        1.0,
        True,
        _OWN,
        {"run": {"tokens_out": 50}},
    ),
    (
        ifeval.instruction,
        "assertion",
        'instruction("punctuation:no_comma")',
        "No comma here.",
        1.0,
        True,
        _IFEVAL,
        {},
    ),
    (
        ifeval.instructions,
        "assertion",
        "instructions()",
        "Well, no.",
        0.0,
        False,
        _IFEVAL,
        _INSTRUCTIONS,
    ),
    (
        checks,
        "assertion",
        "checks()",
        "We refund you.",
        0.5,
        False,
        _OWN,
        {"checks": ["contains: refund", "word_count <= 2"]},
    ),
    (semantic.mentions, "semantic", 'mentions("refund")', "It was refunded.", 1.0, True, _OWN, {}),
    (
        semantic.never_mentions,
        "semantic",
        'never_mentions("Globex")',
        "Try Globex.",
        0.0,
        True,
        _OWN,
        {},
    ),
    (
        meaning.similar_meaning,
        "semantic",
        "similar_meaning()",
        "the cat",
        1.0,
        False,
        "cosine",
        {"expected": "The cat."},
    ),
    (meaning.classified, "semantic", 'classified(str.upper, "YES")', "yes", 1.0, True, _OWN, {}),
    (
        regression.similar_to,
        "regression",
        "similar_to(at_least=0.9)",
        "abcd",
        1.0,
        False,
        _RAPIDFUZZ,
        {"expected": "abcd"},
    ),
    (
        regression.exact,
        "regression",
        "exact()",
        "The Eiffel tower!",
        1.0,
        True,
        "SQuAD, arXiv:1606.05250",
        {"expected": "eiffel tower"},
    ),
    (
        retrieval.hit_at,
        "regression",
        "hit_at(1)",
        "An answer.",
        0.0,
        True,
        "as ranx",
        {"relevant": ["a", "c"], "contexts": ["b", "a"]},
    ),
    (
        retrieval.mrr,
        "regression",
        "mrr()",
        "An answer.",
        0.5,
        False,
        "as ranx",
        {"relevant": ["a", "c"], "contexts": ["b", "a"]},
    ),
    (
        retrieval.ndcg,
        "regression",
        "ndcg()",
        "An answer.",
        0.38685280723454163,
        False,
        "as ranx",
        {"relevant": ["a", "c"], "contexts": ["b", "a"]},
    ),
    (
        retrieval.context_precision,
        "regression",
        "context_precision()",
        "An answer.",
        0.5,
        False,
        "as ranx",
        {"relevant": ["a", "c"], "contexts": ["b", "a"]},
    ),
    (
        retrieval.context_recall,
        "regression",
        "context_recall()",
        "An answer.",
        0.5,
        False,
        "as ranx",
        {"relevant": ["a", "c"], "contexts": ["b", "a"]},
    ),
    (
        overlap.rouge_l,
        "regression",
        "rouge_l()",
        "the cat sat",
        1.0,
        False,
        "ROUGE-L, rouge-score",
        {"expected": "the cat sat"},
    ),
    (
        overlap.chrf,
        "regression",
        "chrf()",
        "the cat sat",
        1.0,
        False,
        "chrF2, sacrebleu",
        {"expected": "the cat sat"},
    ),
    (
        regression.edit_distance,
        "regression",
        "edit_distance()",
        "abcd",
        0.75,
        False,
        "Levenshtein, rapidfuzz",
        {"expected": "abcx"},
    ),
    (
        regression.unchanged_from,
        "regression",
        _OTHER,
        "same",
        1.0,
        False,
        _RAPIDFUZZ,
        {"reference": "same"},
    ),
    (composition.not_, "composition", 'not_(contains("sorry"))', "Sure.", 1.0, False, _OWN, {}),
    (
        composition.all_of,
        "composition",
        'all_of(contains("a"), length(at_most=3))',
        "a",
        1.0,
        False,
        _OWN,
        {},
    ),
    (
        composition.any_of,
        "composition",
        'any_of(equals("yes"), equals("no"))',
        "no",
        1.0,
        False,
        _OWN,
        {},
    ),
    (
        composition.weighted,
        "composition",
        'weighted((contains("a"), 3), (contains("b"), 1))',
        "a",
        0.75,
        False,
        _OWN,
        {},
    ),
    (
        composition.gated_by,
        "composition",
        'gated_by(json_valid(), contains("a"))',
        '"a"',
        1.0,
        False,
        _OWN,
        {},
    ),
    (
        composition.per_field,
        "composition",
        "per_field(a=equals(), b=equals())",
        '{"a": 1, "b": 3}',
        0.5,
        False,
        _OWN,
        {"expected": {"a": 1, "b": 2}},
    ),
    (
        composition.after,
        "composition",
        "after(strip_fences, json_valid())",
        '```json\n{"a": 1}\n```',
        1.0,
        False,
        _OWN,
        {},
    ),
    (rating.rubric, "judge", 'rubric("Is it polite?")', "Please wait.", None, False, _OWN, {}),
    (
        pairs.pairwise,
        "judge",
        _PAIR,
        "An answer.",
        None,
        False,
        "both orders; Zheng et al. 2023, arXiv:2306.05685",
        {"reference": "Another."},
    ),
    (
        rating.answer_relevance,
        "judge",
        "answer_relevance()",
        "Paris.",
        None,
        False,
        "after RAGAS, arXiv:2309.15217",
        {"question": "Capital?"},
    ),
    (
        rating.faithfulness,
        "judge",
        "faithfulness()",
        "Paris.",
        None,
        False,
        "after RAGAS, arXiv:2309.15217",
        {"context": "Paris is the capital."},
    ),
)


def _entry(
    function: Callable[..., Any],
    family: str,
    example: str,
    output: str,
    value: float | None,
    whole: bool,
    source: str,
    given: dict[str, Any],
) -> Entry:
    doc, _, rest = inspect.cleandoc(function.__doc__ or "").partition("\n\n")
    signature = _ANNOTATED.sub(r": \1", str(inspect.signature(function)).partition(" ->")[0])
    return Entry(
        function.__name__,
        family,
        f"{function.__name__}{signature}",
        doc.replace("\n", " "),
        example,
        output,
        value,
        "0 or 1" if whole else "[0, 1]",
        source,
        given,
        rule=rest.replace("\n", " "),
    )


_ANNOTATED = re.compile(r": '([^']*)'")  # annotations are kept as text, and printed as such
CATALOGUE = tuple(_entry(*listed) for listed in _LISTED)

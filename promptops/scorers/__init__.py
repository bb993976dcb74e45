"""Scorers of answers: assertions, semantics, regressions, judges, compositions of them, and your
own functions.

`CATALOGUE` lists every built-in scorer; `try_out(scorer, output)` shows its score for one answer.
Names of scores are stable: if a rule changes, its version is raised, and scores of two versions are
never mixed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .assertion import (
        contains,
        contains_all,
        contains_any,
        ends_with,
        equals,
        one_of,
        starts_with,
    )
    from .case import Ask, BatchScorer, Case, Scorer
    from .catalogue import CATALOGUE, Entry
    from .chosen import answer_after, choice
    from .composition import after, all_of, any_of, gated_by, not_, per_field, weighted
    from .embedding import Embedder, EndpointEmbedder
    from .fields import json_equals, json_schema
    from .function import as_scorer, scorer
    from .ifeval import instruction, instructions
    from .judging import JudgeModel, JudgeRule
    from .lengths import length, word_count
    from .meaning import classified, similar_meaning
    from .numbers import number_close
    from .overlap import chrf, rouge_l
    from .pairs import pair_scores, pairwise
    from .patterns import matches
    from .pii import no_pii
    from .rating import Graded, answer_relevance, faithfulness, rubric
    from .refusal import does_not_refuse, refuses
    from .regression import edit_distance, exact, similar_to, unchanged_from
    from .retrieval import context_precision, context_recall, hit_at, mrr, ndcg
    from .row_checks import checks
    from .semantic import mentions, never_mentions
    from .structure import json_has, json_valid
    from .tools import tool_arguments, tool_called, tool_sequence
    from .transform import (
        Transform,
        answer_part,
        extract_json,
        last_line,
        strip_fences,
        strip_thinking,
    )
    from .trial import try_out
    from .usage import cost_below, finish_reason, latency_below, tokens_below

__all__ = [
    "CATALOGUE",
    "Ask",
    "BatchScorer",
    "Case",
    "Embedder",
    "EndpointEmbedder",
    "Entry",
    "Graded",
    "JudgeModel",
    "JudgeRule",
    "Scorer",
    "Transform",
    "after",
    "all_of",
    "answer_after",
    "answer_part",
    "answer_relevance",
    "any_of",
    "as_scorer",
    "checks",
    "choice",
    "chrf",
    "classified",
    "contains",
    "contains_all",
    "contains_any",
    "cost_below",
    "does_not_refuse",
    "edit_distance",
    "ends_with",
    "equals",
    "exact",
    "extract_json",
    "faithfulness",
    "finish_reason",
    "gated_by",
    "instruction",
    "instructions",
    "json_equals",
    "json_has",
    "json_schema",
    "json_valid",
    "last_line",
    "latency_below",
    "length",
    "matches",
    "mentions",
    "never_mentions",
    "no_pii",
    "not_",
    "number_close",
    "one_of",
    "pair_scores",
    "pairwise",
    "per_field",
    "refuses",
    "rouge_l",
    "rubric",
    "scorer",
    "similar_meaning",
    "similar_to",
    "starts_with",
    "strip_fences",
    "strip_thinking",
    "tokens_below",
    "tool_arguments",
    "tool_called",
    "tool_sequence",
    "try_out",
    "unchanged_from",
    "weighted",
    "word_count",
    "context_precision",
    "context_recall",
    "hit_at",
    "mrr",
    "ndcg",
]


# Each module comes when a name of it is first asked for: most studies use one or two scorers, and
# importing all of them takes as long as a hundred calls.
_NAMES = {
    "assertion": (
        "contains",
        "contains_all",
        "contains_any",
        "ends_with",
        "equals",
        "one_of",
        "starts_with",
    ),
    "case": ("Ask", "BatchScorer", "Case", "Scorer"),
    "catalogue": ("CATALOGUE", "Entry"),
    "chosen": ("answer_after", "choice"),
    "composition": ("after", "all_of", "any_of", "gated_by", "not_", "per_field", "weighted"),
    "embedding": ("Embedder", "EndpointEmbedder"),
    "fields": ("json_equals", "json_schema"),
    "function": ("as_scorer", "scorer"),
    "ifeval": ("instruction", "instructions"),
    "judging": ("JudgeModel", "JudgeRule"),
    "lengths": ("length", "word_count"),
    "meaning": ("classified", "similar_meaning"),
    "numbers": ("number_close",),
    "overlap": ("chrf", "rouge_l"),
    "pairs": ("pair_scores", "pairwise"),
    "patterns": ("matches",),
    "pii": ("no_pii",),
    "rating": ("Graded", "answer_relevance", "faithfulness", "rubric"),
    "refusal": ("does_not_refuse", "refuses"),
    "regression": ("edit_distance", "exact", "similar_to", "unchanged_from"),
    "retrieval": ("context_precision", "context_recall", "hit_at", "mrr", "ndcg"),
    "row_checks": ("checks",),
    "semantic": ("mentions", "never_mentions"),
    "structure": ("json_has", "json_valid"),
    "tools": ("tool_arguments", "tool_called", "tool_sequence"),
    "transform": (
        "Transform",
        "answer_part",
        "extract_json",
        "last_line",
        "strip_fences",
        "strip_thinking",
    ),
    "trial": ("try_out",),
    "usage": ("cost_below", "finish_reason", "latency_below", "tokens_below"),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # the catalogue's examples are evaluated with `vars` of this module, and it imports all of them
    for each in _HOMES if name == "CATALOGUE" else (name,):
        module = importlib.import_module(f".{_HOMES[each]}", __name__)
        globals()[each] = getattr(module, each)
    return globals()[name]


def __dir__() -> list[str]:
    """What completion offers: the names of this door, not the modules behind it."""
    return sorted(__all__)

"""What a good answer is."""

from __future__ import annotations

from .assertion import contains, contains_all, contains_any, ends_with, equals, length, one_of, starts_with, word_count
from .case import Ask, Case, Scorer
from .function import as_scorer, scorer
from .patterns import matches
from .regression import similar_to
from .semantic import mentions, never_mentions
from .structure import json_has, json_valid

__all__ = [
    "Ask",
    "Case",
    "Scorer",
    "as_scorer",
    "contains",
    "contains_all",
    "contains_any",
    "ends_with",
    "equals",
    "json_has",
    "json_valid",
    "length",
    "matches",
    "mentions",
    "never_mentions",
    "one_of",
    "scorer",
    "similar_to",
    "starts_with",
    "word_count",
]

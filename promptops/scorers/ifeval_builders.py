"""The instructions of IFEval that take more than a line to check, each built from its arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from .language import language_of
from .sentences import tokens

__all__ = [
    "Check",
    "capital_words",
    "compared",
    "exactly_bullets",
    "exactly_paragraphs",
    "least_highlights",
    "lower_english",
    "nth_paragraph",
    "postscript",
    "two_responses",
    "valid_json",
    "with_title",
]

Check = Callable[[str], bool]


def compared(count: Callable[[str], int], least: int, relation: str = "at least") -> Check:
    """The check that a count is at least, or less than, a number."""
    return (
        (lambda text: count(text) < least)
        if relation == "less than"
        else (lambda text: count(text) >= least)
    )


def exactly_paragraphs(a: Mapping[str, Any]) -> Check:
    """Paragraphs between `***`, as many as are asked for."""
    wanted = int(a["num_paragraphs"])

    def follows(text: str) -> bool:
        filled = [bool(part.strip()) for part in re.split(r"\s?\*\*\*\s?", text)]
        return all(filled[1:-1]) and sum(filled) == wanted

    return follows


def nth_paragraph(a: Mapping[str, Any]) -> Check:
    """Paragraphs as many as are asked for, the n-th beginning with a word."""
    wanted, nth, first = a["num_paragraphs"], a["nth_paragraph"], a["first_word"].lower()

    def follows(text: str) -> bool:
        parts = text.split("\n\n")
        filled = sum(1 for part in parts if part.strip())
        if not 1 <= nth <= filled or not (wording := parts[nth - 1].split()):
            return False
        word = wording[0].lstrip("'").lstrip('"')
        return (
            bool(filled == wanted) and re.split(r"[.,?!'\"]", word, maxsplit=1)[0].lower() == first
        )

    return follows


def postscript(a: Mapping[str, Any]) -> Check:
    """A postscript with the marker that is asked for."""
    marker = a["postscript_marker"].strip()
    pattern = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}.get(
        marker, re.escape(marker.lower())
    )
    search = re.compile(pattern).search
    return lambda text: search(text.lower()) is not None


def exactly_bullets(a: Mapping[str, object]) -> Check:
    """Bullet points, as many as are asked for."""
    starred, dashed = (
        re.compile(r"^[^\S\n]*\*[^*].*$", re.MULTILINE).findall,
        re.compile(r"^[^\S\n]*-.*$", re.MULTILINE).findall,
    )
    return lambda text: len(starred(text)) + len(dashed(text)) == a["num_bullets"]


def least_highlights(a: Mapping[str, Any]) -> Check:
    """Parts between asterisks, at least as many as are asked for."""
    single, double = re.compile(r"\*[^\n*]*\*").findall, re.compile(r"\*\*[^\n*]*\*\*").findall

    def count(text: str) -> int:
        return sum(1 for part in (*single(text), *double(text)) if part.strip("*").strip())

    return compared(count, a["num_highlights"])


def valid_json(_: Mapping[str, object]) -> Check:
    """The whole answer is JSON, with or without a fence."""

    def follows(text: str) -> bool:
        body = text.strip()
        for fence in ("```json", "```Json", "```JSON", "```"):
            body = body.removeprefix(fence)
        try:
            json.loads(
                body.removesuffix("```").strip()
            )  # as lenient as the reference, where `json_valid` is strict
        except (ValueError, RecursionError):
            return False
        return True

    return follows


def with_title(_: Mapping[str, object]) -> Check:
    """A title in double angular brackets."""

    def titled(line: str) -> bool:
        start, end = line.find("<<"), line.rfind(">>")
        return 0 <= start < end - 2 and bool(line[start:end].lstrip("<").rstrip(">").strip())

    return lambda text: any(map(titled, text.split("\n")))


def two_responses(_: Mapping[str, object]) -> Check:
    """Two different responses, separated by six asterisks."""

    def follows(text: str) -> bool:
        parts = [part.strip() for part in text.split("******")]
        filled = [part for part in parts if part]
        return all(parts[1:-1]) and len(filled) == 2 and filled[0] != filled[1]

    return follows


def capital_words(a: Mapping[str, Any]) -> Check:
    """How many words are in capitals."""
    return compared(
        lambda text: sum(1 for word in tokens(text) if word.isupper()),
        a["capital_frequency"],
        a["capital_relation"],
    )


def lower_english(cased: Callable[[str], bool]) -> Check:
    """In one case throughout, and in no other known language than English (a few words may be in
    none).
    """
    return lambda text: (
        cased(text) and (language_of(text) == "en" or (text.isascii() and language_of(text) == ""))
    )

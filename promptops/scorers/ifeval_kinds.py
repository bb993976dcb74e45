"""The 25 kinds of instruction that a program can check, as IFEval defines them (Zhou et al. 2023,
arXiv:2311.07911).

Each kind is a name, its arguments with their checks, and a test of a text. Names and arguments are
those of the published dataset, so that its rows are scored as they are. A test never raises on any
text. Where the reference relies on a model that must be downloaded (sentences), the rule here is
its own and says so; the language is told by py3langid, where the reference has langdetect.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ScorerError
from .ifeval_builders import (
    Check,
    capital_words,
    compared,
    exactly_bullets,
    exactly_paragraphs,
    least_highlights,
    lower_english,
    nth_paragraph,
    postscript,
    two_responses,
    valid_json,
    with_title,
)
from .language import language_of, languages
from .rule import snippet
from .sentences import sentences

__all__ = ["BY_LANGUAGE", "KINDS", "Check", "prepared"]

_RELATIONS = ("less than", "at least")
BY_LANGUAGE = "2"  # version of the rules that tell the language: 1 was by frequent words
_OPTIONS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


@dataclass(frozen=True, slots=True)
class Kind:
    """arguments: name -> what it must be ("count", "text", "texts", "relation", "letter",
    "language"), all needed.
    """

    says: str
    arguments: Mapping[str, str]
    build: Callable[[Mapping[str, Any]], Check]


def prepared(kind: str, arguments: Mapping[str, object]) -> Check:
    """Text -> whether it follows the instruction. Arguments that are None are left out, as in the
    published rows.

    Raises ScorerError for an unknown kind or argument, a missing one, or one of the wrong type.
    """
    known = KINDS.get(kind)
    if known is None:
        raise ScorerError(f"there is no instruction {kind!r}; the kinds are {', '.join(KINDS)}.")
    given = {name: value for name, value in arguments.items() if value is not None}
    for name in given.keys() - known.arguments.keys():
        raise ScorerError(
            f"{kind} takes no argument {name!r}; it takes {', '.join(known.arguments) or 'none'}."
        )
    for name, wanted in known.arguments.items():
        if name not in given:
            raise ScorerError(
                f"{kind} needs the argument {name!r}; it takes {', '.join(known.arguments)}."
            )
        given[name] = _checked(kind, name, wanted, given[name])
    return known.build(given)


def _checked(kind: str, name: str, wanted: str, value: object) -> object:
    if isinstance(value, float) and value.is_integer():  # as columnar files give whole numbers
        value = int(value)
    ok = {
        "count": isinstance(value, int) and not isinstance(value, bool) and value >= 0,
        "text": isinstance(value, str) and bool(value.strip()),
        "texts": isinstance(value, (list, tuple))
        and bool(value)
        and all(isinstance(text, str) and text.strip() for text in value),
        "relation": value in _RELATIONS,
        "letter": isinstance(value, str) and len(value.strip()) == 1,
        "language": wanted == "language" and value in languages(),
    }[wanted]
    if not ok:
        wording = {
            "relation": "one of " + ", ".join(map(repr, _RELATIONS)),
            "language": "a known language code",
            "count": "a whole number from 0",
        }
        raise ScorerError(
            f"{kind} was given {name}={value!r}; it takes {wording.get(wanted, wanted)}."
        )
    return value


def _keywords(a: Mapping[str, Any]) -> Check:
    searches = [re.compile(re.escape(word), re.IGNORECASE).search for word in a["keywords"]]
    return lambda text: all(search(text) for search in searches)


def _frequency(a: Mapping[str, Any]) -> Check:
    find = re.compile(re.escape(a["keyword"].strip()), re.IGNORECASE).findall
    return compared(lambda text: len(find(text)), a["frequency"], a["relation"])


def _forbidden(a: Mapping[str, Any]) -> Check:
    search = re.compile(
        "|".join(rf"\b{re.escape(word)}\b" for word in a["forbidden_words"]), re.IGNORECASE
    ).search
    return lambda text: search(text) is None


def _letters(a: Mapping[str, Any]) -> Check:
    letter = a["letter"].strip().lower()
    return compared(lambda text: text.lower().count(letter), a["let_frequency"], a["let_relation"])


def _language(a: Mapping[str, object]) -> Check:
    return lambda text: language_of(text) in (None, a["language"])


def _words(a: Mapping[str, Any]) -> Check:
    find = re.compile(r"\w+").findall
    return compared(lambda text: len(find(text)), a["num_words"], a["relation"])


def _sections(a: Mapping[str, Any]) -> Check:
    find = re.compile(rf"\s?{re.escape(a['section_spliter'].strip())}\s?\d+\s?").findall
    return compared(lambda text: len(find(text)), a["num_sections"])


def _placeholders(text: str) -> int:
    """How many brackets open and close again in their line; a bracket inside one that is open does
    not count.
    """
    count = 0
    for line in text.split("\n"):
        start = line.find("[")
        while start >= 0 and (end := line.find("]", start)) >= 0:
            count += 1
            start = line.find("[", end)
    return count


def _repeated(a: Mapping[str, Any]) -> Check:
    wanted = a["prompt_to_repeat"].strip().lower()
    return lambda text: text.strip().lower().startswith(wanted)


def _ending(a: Mapping[str, Any]) -> Check:
    phrase = a["end_phrase"].strip().lower()
    return lambda text: text.strip().strip('"').lower().endswith(phrase)


def _quoted(text: str) -> bool:
    body = text.strip()
    return len(body) > 1 and body[0] == body[-1] == '"'


KINDS: dict[str, Kind] = {
    "keywords:existence": Kind(
        "every keyword occurs, in any case", {"keywords": "texts"}, _keywords
    ),
    "keywords:frequency": Kind(
        "the keyword occurs n times, in any case",
        {"keyword": "text", "frequency": "count", "relation": "relation"},
        _frequency,
    ),
    "keywords:forbidden_words": Kind(
        "no forbidden word occurs as a word, in any case", {"forbidden_words": "texts"}, _forbidden
    ),
    "keywords:letter_frequency": Kind(
        "the letter occurs n times, in any case",
        {"letter": "letter", "let_frequency": "count", "let_relation": "relation"},
        _letters,
    ),
    "language:response_language": Kind(
        "the text is in the language (by py3langid)",
        {"language": "language"},
        _language,
    ),
    "length_constraints:number_sentences": Kind(
        "n sentences (by punctuation and common abbreviations)",
        {"num_sentences": "count", "relation": "relation"},
        lambda a: compared(lambda text: len(sentences(text)), a["num_sentences"], a["relation"]),
    ),
    "length_constraints:number_paragraphs": Kind(
        "exactly n parts between *** marks", {"num_paragraphs": "count"}, exactly_paragraphs
    ),
    "length_constraints:number_words": Kind(
        "n words (runs of letters, digits, _)",
        {"num_words": "count", "relation": "relation"},
        _words,
    ),
    "length_constraints:nth_paragraph_first_word": Kind(
        "exactly n parts between blank lines, the nth beginning with the word",
        {"num_paragraphs": "count", "nth_paragraph": "count", "first_word": "text"},
        nth_paragraph,
    ),
    "detectable_content:number_placeholders": Kind(
        "at least n placeholders in square brackets",
        {"num_placeholders": "count"},
        lambda a: compared(_placeholders, a["num_placeholders"]),
    ),
    "detectable_content:postscript": Kind(
        "the postscript's marker occurs", {"postscript_marker": "text"}, postscript
    ),
    "detectable_format:number_bullet_lists": Kind(
        "exactly n lines that begin with * or -", {"num_bullets": "count"}, exactly_bullets
    ),
    "detectable_format:constrained_response": Kind(
        f"holds one of {', '.join(_OPTIONS)}",
        {},
        lambda _: lambda text: any(option in text for option in _OPTIONS),
    ),
    "detectable_format:number_highlighted_sections": Kind(
        "at least n parts *highlighted*", {"num_highlights": "count"}, least_highlights
    ),
    "detectable_format:multiple_sections": Kind(
        "at least n marks such as 'Section 1'",
        {"section_spliter": "text", "num_sections": "count"},
        _sections,
    ),
    "detectable_format:json_format": Kind(
        "the whole text is JSON, in a code fence or not", {}, valid_json
    ),
    "detectable_format:title": Kind("a title in double angular brackets", {}, with_title),
    "combination:two_responses": Kind("two different texts, parted by ******", {}, two_responses),
    "combination:repeat_prompt": Kind(
        "begins with the prompt, word for word", {"prompt_to_repeat": "text"}, _repeated
    ),
    "startend:end_checker": Kind(
        "ends with the phrase, in any case", {"end_phrase": "text"}, _ending
    ),
    "startend:quotation": Kind("wrapped in double quotation marks", {}, lambda _: _quoted),
    "change_case:capital_word_frequency": Kind(
        "n words all in capitals",
        {"capital_frequency": "count", "capital_relation": "relation"},
        capital_words,
    ),
    "change_case:english_capital": Kind(
        "English, all in capitals", {}, lambda _: lower_english(str.isupper)
    ),
    "change_case:english_lowercase": Kind(
        "English, all in lower case", {}, lambda _: lower_english(str.islower)
    ),
    "punctuation:no_comma": Kind("no comma", {}, lambda _: lambda text: "," not in text),
}


def described(kind: str, arguments: Mapping[str, object]) -> str:
    """The instruction as a reason names it."""
    shown = ", ".join(
        f"{name}={snippet(value, 40)}" for name, value in arguments.items() if value is not None
    )
    return f"{kind} ({shown})" if shown else kind

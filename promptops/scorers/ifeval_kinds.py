"""The 25 kinds of instruction that a program can check, as IFEval defines them (Zhou et al. 2023,
arXiv:2311.07911).

Each kind is a name, its arguments with their checks, and a test of a text. Names and arguments are
those of the published dataset, so that its rows are scored as they are. A test never raises on any
text. Where the reference relies on a model that must be downloaded (sentences), the rule here is
its own and says so; the language is told by py3langid, where the reference has langdetect.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ScorerError
from .language import language_of, languages
from .rule import snippet
from .sentences import sentences, tokens

__all__ = ["BY_LANGUAGE", "KINDS", "Check", "prepared"]

Check = Callable[[str], bool]
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


def prepared(kind: str, arguments: Mapping[str, Any]) -> Check:
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


def _checked(kind: str, name: str, wanted: str, value: Any) -> Any:
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
        said = {
            "relation": "one of " + ", ".join(map(repr, _RELATIONS)),
            "language": "a known language code",
            "count": "a whole number from 0",
        }
        raise ScorerError(
            f"{kind} was given {name}={value!r}; it takes {said.get(wanted, wanted)}."
        )
    return value


def _counted(count: Callable[[str], int], least: int, relation: str = "at least") -> Check:
    return (
        (lambda text: count(text) < least)
        if relation == "less than"
        else (lambda text: count(text) >= least)
    )


def _keywords(a: Mapping[str, Any]) -> Check:
    searches = [re.compile(re.escape(word), re.IGNORECASE).search for word in a["keywords"]]
    return lambda text: all(search(text) for search in searches)


def _frequency(a: Mapping[str, Any]) -> Check:
    find = re.compile(re.escape(a["keyword"].strip()), re.IGNORECASE).findall
    return _counted(lambda text: len(find(text)), a["frequency"], a["relation"])


def _forbidden(a: Mapping[str, Any]) -> Check:
    search = re.compile(
        "|".join(rf"\b{re.escape(word)}\b" for word in a["forbidden_words"]), re.IGNORECASE
    ).search
    return lambda text: search(text) is None


def _letters(a: Mapping[str, Any]) -> Check:
    letter = a["letter"].strip().lower()
    return _counted(lambda text: text.lower().count(letter), a["let_frequency"], a["let_relation"])


def _language(a: Mapping[str, Any]) -> Check:
    return lambda text: language_of(text) in (None, a["language"])


def _words(a: Mapping[str, Any]) -> Check:
    find = re.compile(r"\w+").findall
    return _counted(lambda text: len(find(text)), a["num_words"], a["relation"])


def _paragraphs(a: Mapping[str, Any]) -> Check:
    wanted = int(a["num_paragraphs"])

    def follows(text: str) -> bool:
        filled = [bool(part.strip()) for part in re.split(r"\s?\*\*\*\s?", text)]
        return all(filled[1:-1]) and sum(filled) == wanted

    return follows


def _nth_paragraph(a: Mapping[str, Any]) -> Check:
    wanted, nth, first = a["num_paragraphs"], a["nth_paragraph"], a["first_word"].lower()

    def follows(text: str) -> bool:
        parts = text.split("\n\n")
        filled = sum(1 for part in parts if part.strip())
        if not 1 <= nth <= filled or not (said := parts[nth - 1].split()):
            return False
        word = said[0].lstrip("'").lstrip('"')
        return (
            bool(filled == wanted) and re.split(r"[.,?!'\"]", word, maxsplit=1)[0].lower() == first
        )

    return follows


def _postscript(a: Mapping[str, Any]) -> Check:
    marker = a["postscript_marker"].strip()
    pattern = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}.get(
        marker, re.escape(marker.lower())
    )
    search = re.compile(pattern).search
    return lambda text: search(text.lower()) is not None


def _bullets(a: Mapping[str, Any]) -> Check:
    starred, dashed = (
        re.compile(r"^[^\S\n]*\*[^*].*$", re.MULTILINE).findall,
        re.compile(r"^[^\S\n]*-.*$", re.MULTILINE).findall,
    )
    return lambda text: len(starred(text)) + len(dashed(text)) == a["num_bullets"]


def _highlights(a: Mapping[str, Any]) -> Check:
    single, double = re.compile(r"\*[^\n*]*\*").findall, re.compile(r"\*\*[^\n*]*\*\*").findall

    def count(text: str) -> int:
        return sum(1 for part in (*single(text), *double(text)) if part.strip("*").strip())

    return _counted(count, a["num_highlights"])


def _sections(a: Mapping[str, Any]) -> Check:
    find = re.compile(rf"\s?{re.escape(a['section_spliter'].strip())}\s?\d+\s?").findall
    return _counted(lambda text: len(find(text)), a["num_sections"])


def _json(_: Mapping[str, Any]) -> Check:
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


def _title(_: Mapping[str, Any]) -> Check:
    def titled(line: str) -> bool:
        start, end = line.find("<<"), line.rfind(">>")
        return 0 <= start < end - 2 and bool(line[start:end].lstrip("<").rstrip(">").strip())

    return lambda text: any(map(titled, text.split("\n")))


def _two_responses(_: Mapping[str, Any]) -> Check:
    def follows(text: str) -> bool:
        parts = [part.strip() for part in text.split("******")]
        filled = [part for part in parts if part]
        return all(parts[1:-1]) and len(filled) == 2 and filled[0] != filled[1]

    return follows


def _repeated(a: Mapping[str, Any]) -> Check:
    wanted = a["prompt_to_repeat"].strip().lower()
    return lambda text: text.strip().lower().startswith(wanted)


def _ending(a: Mapping[str, Any]) -> Check:
    phrase = a["end_phrase"].strip().lower()
    return lambda text: text.strip().strip('"').lower().endswith(phrase)


def _capital_words(a: Mapping[str, Any]) -> Check:
    return _counted(
        lambda text: sum(1 for word in tokens(text) if word.isupper()),
        a["capital_frequency"],
        a["capital_relation"],
    )


def _english(cased: Callable[[str], bool]) -> Check:
    """In one case throughout, and in no other known language than English (a few words may be in
    none).
    """
    return lambda text: (
        cased(text) and (language_of(text) == "en" or (text.isascii() and language_of(text) == ""))
    )


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
        lambda a: _counted(lambda text: len(sentences(text)), a["num_sentences"], a["relation"]),
    ),
    "length_constraints:number_paragraphs": Kind(
        "exactly n parts between *** marks", {"num_paragraphs": "count"}, _paragraphs
    ),
    "length_constraints:number_words": Kind(
        "n words (runs of letters, digits, _)",
        {"num_words": "count", "relation": "relation"},
        _words,
    ),
    "length_constraints:nth_paragraph_first_word": Kind(
        "exactly n parts between blank lines, the nth beginning with the word",
        {"num_paragraphs": "count", "nth_paragraph": "count", "first_word": "text"},
        _nth_paragraph,
    ),
    "detectable_content:number_placeholders": Kind(
        "at least n placeholders in square brackets",
        {"num_placeholders": "count"},
        lambda a: _counted(_placeholders, a["num_placeholders"]),
    ),
    "detectable_content:postscript": Kind(
        "the postscript's marker occurs", {"postscript_marker": "text"}, _postscript
    ),
    "detectable_format:number_bullet_lists": Kind(
        "exactly n lines that begin with * or -", {"num_bullets": "count"}, _bullets
    ),
    "detectable_format:constrained_response": Kind(
        f"holds one of {', '.join(_OPTIONS)}",
        {},
        lambda _: lambda text: any(option in text for option in _OPTIONS),
    ),
    "detectable_format:number_highlighted_sections": Kind(
        "at least n parts *highlighted*", {"num_highlights": "count"}, _highlights
    ),
    "detectable_format:multiple_sections": Kind(
        "at least n marks such as 'Section 1'",
        {"section_spliter": "text", "num_sections": "count"},
        _sections,
    ),
    "detectable_format:json_format": Kind(
        "the whole text is JSON, in a code fence or not", {}, _json
    ),
    "detectable_format:title": Kind("a title in double angular brackets", {}, _title),
    "combination:two_responses": Kind("two different texts, parted by ******", {}, _two_responses),
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
        _capital_words,
    ),
    "change_case:english_capital": Kind(
        "English, all in capitals", {}, lambda _: _english(str.isupper)
    ),
    "change_case:english_lowercase": Kind(
        "English, all in lower case", {}, lambda _: _english(str.islower)
    ),
    "punctuation:no_comma": Kind("no comma", {}, lambda _: lambda text: "," not in text),
}


def described(kind: str, arguments: Mapping[str, Any]) -> str:
    """The instruction as a reason names it."""
    shown = ", ".join(
        f"{name}={snippet(value, 40)}" for name, value in arguments.items() if value is not None
    )
    return f"{kind} ({shown})" if shown else kind

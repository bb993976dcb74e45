"""How close an answer is to a golden one, or to what another version answered on the same example.

Values lie in [0, 1], 1 if the texts are equal, and are symmetric in the two texts.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable

from ..errors import ScorerError
from ..score import Score
from ..signatures import explained
from .case import Case
from .declaration import declared
from .golden import EXPECTED, Golden, alternatives, golden, no_golden
from .reading import ABSENT, NotJSON, find, fold, parse_path, read_json
from .rule import PASS, Rule, fail, rule, snippet, spelled

__all__ = ["edit_distance", "exact", "similar_to", "unchanged_from"]

# rapidfuzz scorers (its documentation, "fuzz"); all give 0 to 100
SIMILARITIES = {
    "ratio": "ratio",
    "partial": "partial_ratio",
    "token_sort": "token_sort_ratio",
    "token_set": "token_set_ratio",
}
_ARTICLES = frozenset(("a", "an", "the"))
# characters of one text times those of the other: about half a second of rapidfuzz
_CELLS = 20_000_000_000
_PARTIAL = (
    30_000_000_000  # the shorter text squared times the longer: about a second of its partial ratio
)


@declared(
    "regression",
    example="similar_to(at_least=0.9)",
    output="abcd",
    value=1.0,
    whole=False,
    source="rapidfuzz",
    given={"expected": "abcd"},
)
@explained
def similar_to(
    text: str | None = None,
    *,
    column: str = EXPECTED,
    at_least: float | None = None,
    by: str = "ratio",
    field: str | None = None,
) -> Rule:
    """The similarity of the answer to the golden one (or to the text, or to this row's value of the
    column), in [0, 1] by rapidfuzz.

    Texts are compared after Unicode NFC, without outer white space; if both are JSON objects or
    lists, their keys are sorted first. Texts so long that this would take seconds are unscored.

    Args:
        text: a fixed text; None means the row's value of `column`.
        column: the column with the golden answer.
        at_least: the lowest value that passes; None: nothing passes or fails.
        by: "ratio" (2 x common subsequence / both lengths), "token_sort" (words in any order),
            "token_set" (shared words), "partial" (best matching part; all symmetric).
        field: the path to compare in the JSON of both.
    """
    if by not in SIMILARITIES:
        raise ScorerError(
            f"similar_to has no measure {by!r}; choose one of {', '.join(SIMILARITIES)}."
        )
    wanted = golden("similar_to", text, column)
    pair = paired(wanted, field)
    measure = _ratio(by)

    def score(case: Case) -> Score:
        texts = pair(case)
        return texts if isinstance(texts, Score) else measure(*texts)

    spec = wanted.spelled(by=by if by != "ratio" else None, field=field)
    found = rule(spec, "regression", score, needs=wanted.needs, texts=wanted.texts)
    return found if at_least is None else found.at_least(at_least)


@declared(
    "regression",
    example="exact()",
    output="The Eiffel tower!",
    value=1.0,
    source="SQuAD, arXiv:1606.05250",
    given={"expected": "eiffel tower"},
)
@explained
def exact(text: str | None = None, *, column: str = EXPECTED) -> Rule:
    """The answer equals the golden one after normalisation: case, punctuation, articles and white
    space are ignored.

    The exact match of SQuAD (Rajpurkar et al. 2016, arXiv:1606.05250), for any script: texts are
    NFKC-normalised and case-folded; the articles are the English a, an and the. If the golden value
    is a list, any of its members is accepted. 0 or 1.

    Args:
        text: a fixed text; None means the row's value of `column`.
        column: the column with the golden answer.
    """

    source = golden("exact", text, column)

    def score(case: Case) -> Score:
        value = source.of(case)
        wanted = [as_golden(one) for one in alternatives(value)]
        if not wanted:
            return no_golden(case, source.where)
        found = normalised(case.output)
        if any(found == normalised(one) for one in wanted):
            return PASS
        return fail(
            f"answered {snippet(case.output)}, expected {' or '.join(map(snippet, wanted[:3]))}"
        )

    return rule(source.spelled(), "regression", score, needs=source.needs, texts=source.texts)


@declared(
    "regression",
    example="edit_distance()",
    output="abcd",
    value=0.75,
    whole=False,
    source="Levenshtein, rapidfuzz",
    given={"expected": "abcx"},
)
@explained
def edit_distance(
    text: str | None = None, *, column: str = EXPECTED, at_most: int | None = None
) -> Rule:
    """1 - d / max(length), where d is the Levenshtein distance to the golden answer in characters;
    raw_value: d. [0, 1].

    Texts are compared after Unicode NFC, without outer white space, by rapidfuzz.

    Args:
        text: a fixed text; None means the row's value of `column`.
        column: the column with the golden answer.
        at_most: the largest d that passes.
    """
    if at_most is not None and (
        isinstance(at_most, bool) or not isinstance(at_most, int) or at_most < 0
    ):
        raise ScorerError(
            f"edit_distance was given at_most={at_most!r}; give a whole number from 0."
        )
    from rapidfuzz.distance import Levenshtein

    source = golden("edit_distance", text, column)

    def score(case: Case) -> Score:
        one, two = (
            composed(case.output).strip(),
            composed(as_golden(source.of(case))).strip(),
        )
        if len(one) * len(two) > _CELLS and one != two:
            return too_long(one, two)
        distance = Levenshtein.distance(one, two)
        value = 1 - distance / max(len(one), len(two), 1)
        ok = None if at_most is None else distance <= at_most
        return Score(
            value,
            ok,
            raw_value=float(distance),
            unit="edits",
            reason="" if ok is not False else f"{distance:,} edits away",
        )

    spec = source.spelled(at_most=at_most)
    return rule(spec, "regression", score, needs=source.needs, texts=source.texts)


@declared(
    "regression",
    example='unchanged_from("p1-00000000000000000000000000000000")',
    output="same",
    value=1.0,
    whole=False,
    source="rapidfuzz",
    given={"reference": "same"},
)
@explained
def unchanged_from(version: object, *, at_least: float = 1.0) -> Rule:
    """The similarity of the answer to that of `version` on the same example and repeat, by
    rapidfuzz's ratio. [0, 1].

    Passed from `at_least` on (1: the same text, ignoring outer white space). A row that the other
    version did not answer is unscored.

    Args:
        version: a version, a saved one, or its id; a change of behaviour due to a new model or
            prompt can thus be measured without golden answers.
        at_least: the lowest value that passes.
    """
    id_ = version if isinstance(version, str) else getattr(version, "id", None)
    if not isinstance(id_, str) or not id_.startswith("p1-"):
        raise ScorerError(
            f"unchanged_from was given {snippet(version)}; give a version or its id, which begins"
            " with p1-."
        )
    measure = _ratio("ratio")

    def score(case: Case) -> Score:
        other = case.reference
        if other is None or other.output is None or not other.scorable:
            return Score.none(
                f"missing reference: example {case.example.id!r} has no answer of version"
                f" {id_[:11]}"
            )
        return measure(composed(case.output).strip(), composed(other.output).strip())

    shown = spelled("unchanged_from", id_[:19])
    return rule(shown, "regression", score, against=id_, inner=id_).at_least(at_least)


def _ratio(by: str) -> Callable[[str, str], Score]:
    from rapidfuzz import fuzz

    compare = getattr(fuzz, SIMILARITIES[by])

    def measure(one: str, two: str) -> Score:
        if len(one) * len(two) > _CELLS and one != two:
            return too_long(one, two)
        if (
            by == "partial"
            and min(len(one), len(two)) * len(one) * len(two) > _PARTIAL
            and one != two
        ):
            return too_long(one, two)
        return Score(1.0 if one == two else min(max(compare(one, two) / 100, 0.0), 1.0))

    return measure


def too_long(one: str, two: str) -> Score:
    """The score of two texts that would take seconds to compare: unscored, with their lengths."""
    return Score.none(f"too long to compare: {len(one):,} and {len(two):,} characters")


def paired(source: Golden, field: str | None) -> Callable[[Case], tuple[str, str] | Score]:
    """Case -> (answer, golden answer) as texts to compare, or the score where there is nothing to
    compare.
    """
    steps = parse_path(field) if field is not None else ()

    def pair(case: Case) -> tuple[str, str] | Score:
        wanted = source.of(case)
        if not field and isinstance(wanted, str) and not _both_json(wanted, case.output):
            return composed(case.output).strip(), composed(wanted).strip()
        found = read_json(case.output)
        if not field:
            value = read_json(wanted) if isinstance(wanted, str) else wanted
            return (
                case.output.strip() if isinstance(found, NotJSON) else sorted_json(found)
            ), sorted_json(value)
        wanted = read_json(wanted) if isinstance(wanted, str) else wanted
        part = ABSENT if isinstance(wanted, NotJSON) else find(wanted, steps)
        if part is ABSENT:
            return Score.none(
                f"missing {field}: example {case.example.id!r} has no such field in {source.where}"
            )
        value = ABSENT if isinstance(found, NotJSON) else find(found, steps)
        if value is ABSENT:
            return Score(0.0, reason=f"no field {field} in the answer {snippet(case.output)}")
        return as_golden(value), as_golden(part)

    return pair


def _both_json(one: str, two: str) -> bool:
    """Whether both texts are a JSON object or list."""
    opened = all(text[:200].lstrip()[:1] in ("{", "[") for text in (one, two))
    return opened and not any(isinstance(read_json(text), NotJSON) for text in (one, two))


def normalised(text: str) -> str:
    """A text without case, punctuation, articles and runs of white space."""
    plain = "".join(
        " " if unicodedata.category(letter)[0] in "PSZC" else letter for letter in fold(text)
    )
    return " ".join(word for word in plain.split() if word not in _ARTICLES)


def as_golden(value: object) -> str:
    """A golden value as text: text as it is, JSON with its keys sorted else."""
    return composed(value).strip() if isinstance(value, str) else sorted_json(value)


def sorted_json(value: object) -> str:
    """A JSON value as one text whatever the order of its keys."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def composed(text: str) -> str:
    """The text in Unicode NFC."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)

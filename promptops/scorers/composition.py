"""Scorers made of scorers: negated, all, any, weighted, gated, per field, and after a step that
transforms the answer.

A composition is named by its parts and versioned with them, waits where one of them waits, and
needs what they need. Unknown stays unknown: it is unscored wherever the parts that were scored do
not decide it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..errors import ScorerError
from ..score import Score
from ..signatures import explained
from .case import Case, Scorer
from .composed import asked, asked_with, composed, gathered, part_of, parts_of, with_unknown
from .declaration import declared
from .reading import ABSENT, NotJSON, find, parse_path, read_json
from .regression import as_golden
from .rule import Judged, Rule, fail, passed, snippet
from .transform import Transform

__all__ = ["after", "all_of", "any_of", "asked", "gated_by", "not_", "per_field", "weighted"]


@declared("composition", example='not_(contains("sorry"))', output="Sure.", value=1.0, whole=False)
@explained
def not_(scorer: object) -> Rule:
    """The opposite of a scorer: 1 - its value, passed if the scorer did not pass. [0, 1]."""
    part = part_of("not_", scorer)

    def score(case: Case) -> Judged:
        return asked_with(case, [part], lambda found: _negated(part, found[0]))

    # an answer that failed must not pass for not being judged: `judges_failures` stays what the
    # part says
    return composed(f"not_({part.name})", [part], score, judges_failures=part.judges_failures)


@declared(
    "composition",
    example='all_of(contains("a"), length(at_most=3))',
    output="a",
    value=1.0,
    whole=False,
)
@explained
def all_of(*scorers: object) -> Rule:
    """Every scorer passed; value: the lowest of their values.

    One scorer that failed decides, even if another is unscored.
    """
    parts = parts_of("all_of", scorers)

    def join(found: list[Score]) -> Score:
        failed = [
            f"{part.name}: {score.reason or 'failed'}"
            for part, score in zip(parts, found, strict=True)
            if passed(score) is False
        ]
        unknown = with_unknown(parts, found)
        if unknown and not failed:
            return unknown
        value = min(score.value for score in found if score.value is not None)
        return Score(value, not failed, reason="; ".join(failed[:3]))

    return composed(f"all_of({_names(parts)})", parts, lambda case: asked_with(case, parts, join))


@declared(
    "composition",
    example='any_of(equals("yes"), equals("no"))',
    output="no",
    value=1.0,
    whole=False,
)
@explained
def any_of(*scorers: object) -> Rule:
    """At least one scorer passed; value: the highest of their values.

    One scorer that passed decides, even if another is unscored.
    """
    parts = parts_of("any_of", scorers)

    def join(found: list[Score]) -> Score:
        unknown = with_unknown(parts, found)
        ok = any(passed(score) for score in found)
        if unknown and not ok:
            return unknown
        value = max(score.value for score in found if score.value is not None)
        return Score(
            value,
            ok,
            reason=(
                ""
                if ok
                else f"none passed: {'; '.join(score.reason or 'failed' for score in found[:3])}"
            ),
        )

    return composed(f"any_of({_names(parts)})", parts, lambda case: asked_with(case, parts, join))


@declared(
    "composition",
    example='weighted((contains("a"), 3), (contains("b"), 1))',
    output="a",
    value=0.75,
    whole=False,
)
@explained
def weighted(*pairs: tuple[object, float]) -> Rule:
    """The weighted mean of the scorers' values, sum(w x value) / sum(w); unscored if one scorer
    is. [0, 1].

    Each pair is (scorer, weight above 0), as in `weighted((equals(), 3), (word_count(at_most=50),
    1))`.
    """
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        raise ScorerError(
            "weighted takes pairs of scorer and weight, as in weighted((equals(), 3),"
            " (json_valid(), 1))."
        )
    parts = parts_of("weighted", [scorer for scorer, _ in pairs])
    weights = [weight for _, weight in pairs]
    wrong = [
        weight
        for weight in weights
        if isinstance(weight, bool)
        or not isinstance(weight, (int, float))
        or not 0 < weight < float("inf")
    ]
    if wrong:
        raise ScorerError(
            f"weighted was given the weight {wrong[0]!r}; give finite numbers above 0."
        )

    def join(found: list[Score]) -> Score:
        unknown = with_unknown(parts, found)
        if unknown:
            return unknown
        total = sum(
            weight * (score.value or 0.0) for weight, score in zip(weights, found, strict=True)
        )
        short = [
            f"{part.name} {score.value:.3g}"
            for part, score in zip(parts, found, strict=True)
            if score.value != 1
        ]
        return Score(min(total / sum(weights), 1.0), reason=", ".join(short[:5]))

    shown = ", ".join(
        f"{part.name}*{weight:g}" for part, weight in zip(parts, weights, strict=True)
    )
    return composed(f"weighted({shown})", parts, lambda case: asked_with(case, parts, join))


@declared(
    "composition",
    example='gated_by(json_valid(), contains("a"))',
    output='"a"',
    value=1.0,
    whole=False,
)
@explained
def gated_by(gate: object, scorer: object, *, otherwise: float | None = None) -> Rule:
    """The scorer's score if the gate, which runs first, passed; if it did not, unscored, or the
    value `otherwise`.

    Unscored rows leave a comparison incomplete: pass otherwise=0.0 if an answer that does not pass
    the gate counts as failed.

    Args:
        gate: the scorer that runs first.
        scorer: the scorer that runs if the gate passed.
        otherwise: the value if the gate did not pass; None: unscored.
    """
    first, then_ = part_of("gated_by", gate), part_of("gated_by", scorer)
    if otherwise is not None and not (isinstance(otherwise, (int, float)) and 0 <= otherwise <= 1):
        raise ScorerError(
            f"gated_by was given otherwise={otherwise!r}; give a number between 0 and 1, or None."
        )

    def score(case: Case) -> Judged:
        def decide(found: list[Score]) -> Judged:
            if passed(found[0]):
                return asked(then_, case)
            if found[0].value is None:
                return replace(found[0], name="")
            why = f"the gate {first.name} did not pass: {found[0].reason or 'failed'}"
            return (
                Score.none(why) if otherwise is None else Score(float(otherwise), False, reason=why)
            )

        return asked_with(case, [first], decide)

    shown = (
        f"gated_by({first.name},"
        f" {then_.name}{'' if otherwise is None else f', otherwise={otherwise:g}'})"
    )
    return composed(shown, [first, then_], score)


@declared(
    "composition",
    example="per_field(a=equals(), b=equals())",
    output='{"a": 1, "b": 3}',
    value=0.5,
    whole=False,
    given={"expected": {"a": 1, "b": 2}},
)
@explained
def per_field(**scorers: object) -> Rule:
    """Each scorer on one field of the JSON answer, with a verdict per field and the mean of their
    values as the score.

    `per_field(total=number_close(), name=similar_to())` compares each field with the same field of
    the golden object; a path is given as a mapping, `per_field(**{"user.name": equals()})`. A field
    fails if the answer is not JSON or lacks it. [0, 1]; passed if all fields passed; unscored if
    one field is.
    """
    if not scorers:
        raise ScorerError(
            "per_field was given no field; name at least one, as in"
            " per_field(total=number_close())."
        )
    parts = [part_of("per_field", scorer) for scorer in scorers.values()]
    paths = {field: parse_path(field) for field in scorers}

    def score(case: Case) -> Judged:
        value = read_json(case.output)
        return gathered(
            [
                _field(part, case, value, field, paths[field])
                for part, field in zip(parts, scorers, strict=True)
            ],
            join,
        )

    def join(found: list[Score]) -> list[Score]:
        each = [replace(score, name=field) for field, score in zip(scorers, found, strict=True)]
        unknown = with_unknown(parts, found)
        if unknown:
            return [unknown, *each]
        failed = [
            f"{score.name}: {score.reason or 'failed'}" for score in each if passed(score) is False
        ]
        mean = sum(score.value or 0.0 for score in found) / len(found)
        return [Score(mean, not failed, reason="; ".join(failed[:3])), *each]

    return composed(
        "per_field("
        + ", ".join(f"{field}={part.name}" for field, part in zip(scorers, parts, strict=True))
        + ")",
        parts,
        score,
    )


@declared(
    "composition",
    example="after(strip_fences, json_valid())",
    output='```json\n{"a": 1}\n```',
    value=1.0,
    whole=False,
)
@explained
def after(transform: Transform | Callable[[str], str | None], scorer: object) -> Rule:
    """The scorer on the answer after a transform: `after(strip_fences, json_valid())`.

    If the transform finds nothing (None), the answer fails.

    Args:
        transform: strip_fences, extract_json, last_line, `answer_part(marker)`, or a function of
            the text.
        scorer: the scorer of the transformed text.
    """
    part = part_of("after", scorer)
    step = transform if isinstance(transform, Transform) else Transform.of(transform)

    def score(case: Case) -> Judged:
        text = step(case.output)
        return (
            fail(f"{step.name} found nothing in {snippet(case.output)}")
            if text is None
            else asked(part, replace(case, output=text))
        )

    return composed(f"after({step.name}, {part.name})", [part], score, inner=step.version_now)


# -- how parts are asked, and what a composition takes over from them


def _names(parts: Sequence[Scorer]) -> str:
    return ", ".join(part.name for part in parts)


def _negated(part: Scorer, found: Score) -> Score:
    if found.value is None:
        return replace(found, name="")
    if found.passed is None and found.value not in (0.0, 1.0):
        return Score(1 - found.value, raw_value=found.raw_value, unit=found.unit)
    ok = not passed(found)
    return Score(
        1 - found.value,
        ok,
        raw_value=found.raw_value,
        unit=found.unit,
        reason="" if ok else f"{part.name} passed",
    )


def _field(
    part: Scorer, case: Case, value: object, field: str, path: tuple[str | int, ...]
) -> Judged:
    """A part's judgement of one field: its value as text, compared with the golden object's
    field.
    """
    if isinstance(value, NotJSON):
        return fail(f"not JSON: {value.why}")
    golden = case.example.expected
    golden = read_json(golden) if isinstance(golden, str) else golden
    inner = find(golden, path) if isinstance(golden, (Mapping, list)) else ABSENT
    if inner is ABSENT and "expected" in part.needs:
        return Score.none(
            f"missing {field}: example {case.example.id!r} has no such field in 'expected'"
        )
    found = find(value, path)
    if found is ABSENT:
        return fail(f"no field {field}")
    return asked(
        part,
        replace(
            case,
            output=as_golden(found),
            example=replace(case.example, expected=None if inner is ABSENT else inner),
        ),
    )

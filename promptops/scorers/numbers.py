"""The number that an answer comes to: taken out of prose, compared with a tolerance, never by its
spelling.
"""

from __future__ import annotations

import math
import re
from collections import deque

from ..errors import ScorerError
from ..score import Score
from ..signatures import explained
from .case import Case
from .decimal_comma import with_points
from .declaration import declared
from .golden import EXPECTED, golden
from .rule import Rule, fail, rule, snippet

__all__ = ["final_number", "number_close"]

_WINDOW = 1_000  # characters around the last digit, which hold the last number whole
_DIGITS = 400  # a longer run of digits is not a number that anybody means
_SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_NUMBER = re.compile(
    r"(?:(?<![\w)\]%.])(?<![0-9)\]%]\s)(?P<sign>[-+\u2212])\s?)?(?:[$\u20ac\u00a3\u00a5]\s?"
    r"(?P<inner>[-\u2212])?)?"
    r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)?(?P<part>(?<=[0-9])\.[0-9]+|(?<![\w.])"
    r"\.[0-9]+)?(?(whole)|(?(part)|(?!)))"
    r"(?P<power>[eE][-+]?[0-9]{1,3}(?!\w))?(?:\s?/\s?(?P<under>[0-9]+(?:\.[0-9]+)?)(?![0-9/]))?"
    r"(?:\s?(?P<scale>thousand|million|billion|trillion)\b)?",
    re.IGNORECASE,
)
_MARKER = re.compile(
    r"####|\\boxed\s?\{|(?m:^[^\S\n]*(?:\*\*)?A(?:nswer)?\s?:)|\banswer\s?(?:is|was|[:=]|would"
    r" be|comes to)",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^[^\S\n]*[-\u2212\u2013][^\S\n]+(?=\S)", re.MULTILINE)  # of a list: no minus
_FRACTION = re.compile(r"\\[dt]?frac\{(\d+)\}\{(\d+)\}")
_CLAUSE = re.compile(r"\n|[.!?](?=\s)")


@declared(
    "assertion",
    example="number_close()",
    output="The answer is $1,234.50.",
    value=1.0,
    given={"expected": 1234.5},
)
@explained
def number_close(
    value: float | str | None = None,
    *,
    column: str = EXPECTED,
    within: float = 0.0,
    relative: float = 1e-9,
    after: str | None = None,
) -> Rule:
    """The answer's number is the golden one: |found - golden| <= max(within, relative x |golden|);
    raw_value: the number.

    The number is the one after the last "answer is", "Answer:", "A:", "####" or \\boxed{ (after the
    last `=` if that sentence has a calculation), else the last one in the answer.

    Signs, thousands commas, decimals, exponents, fractions ("3/4"), currency signs and scales ("1.5
    million") are read; a percent sign is ignored. A comma that cannot separate thousands is
    before the decimals ("12,50", "1.234,50"); "1,234" is a thousand, "1.234" a decimal. 0 or 1,
    higher is better. An answer without a number fails; a row whose golden value has no number is
    unscored.

    Args:
        value: a fixed number; None means the row's value of `column`.
        column: the column with the golden number.
        within: the absolute difference allowed.
        relative: the difference allowed, relative to the golden number.
        after: your own marker before the number.
    """
    _check_bounds(within=within, relative=relative)
    if after is not None and not (isinstance(after, str) and after.strip()):
        raise ScorerError(
            f"number_close was given after={after!r}; give the text that is before the number."
        )
    marker = _MARKER if after is None else re.compile(re.escape(after.strip()), re.IGNORECASE)
    source = golden("number_close", value, column, "value")
    if value is not None and _golden(value) is None:
        raise ScorerError(
            f"number_close was given {value!r}, in which there is no number; give one, or the name"
            ' of a column, as in number_close(column="total").'
        )

    def score(case: Case) -> Score:
        wanted = _golden(source.of(case))
        if wanted is None:
            return Score.none(
                f"missing number: example {case.example.id!r} has no number in the column"
                f" {source.where}"
            )
        found = final_number(case.output, marker)
        if found is None:
            return fail(f"no number in the answer {snippet(case.output[-200:])}")
        return _compared(found, wanted, max(within, relative * abs(wanted)))

    spec = source.spelled(
        within=within or None,
        relative=relative if relative != 1e-9 else None,
        after=after,
    )
    needs, texts = source.needs, source.texts  # version 2: decimal commas are read
    return rule(spec, "assertion", score, needs=needs, texts=texts, version="2")


def _compared(found: float, wanted: float, within: float) -> Score:
    ok = abs(found - wanted) <= within
    reason = "" if ok else f"came to {found:.12g}, expected {wanted:.12g}"
    return Score(float(ok), ok, raw_value=found, reason=reason)


def _check_bounds(**bounds: float) -> None:
    """Raises ScorerError for a bound that is not a finite number from 0."""
    for name, bound in bounds.items():
        if (
            isinstance(bound, bool)
            or not isinstance(bound, (int, float))
            or not (math.isfinite(bound) and bound >= 0)
        ):
            raise ScorerError(
                f"number_close was given {name}={bound!r}; give a finite number from 0."
            )


def final_number(text: str, marker: re.Pattern[str] = _MARKER) -> float | None:
    """The number that a text comes to, or None; finite always."""
    text = _BULLET.sub("", text)
    marked = deque(marker.finditer(text), maxlen=1)
    if marked:
        end = marked[0].end()
        wording = _FRACTION.sub(r"\1/\2", text[end : end + 300].lstrip(" \t\r\n*:"))
        clause = _CLAUSE.split(wording, maxsplit=1)[0]
        found = _numbers(clause.rpartition("=")[2]) or _numbers(clause)
        if found:
            return found[0]
    end = max(text.rfind(digit) for digit in "0123456789")
    found = (
        _numbers(_FRACTION.sub(r"\1/\2", text[max(end - _WINDOW, 0) : end + 40]))
        if end >= 0
        else []
    )
    return found[-1] if found else None


def _golden(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        try:
            return float(value) if math.isfinite(value) else None
        except OverflowError:
            return None
    return final_number(value) if isinstance(value, str) else None


def _numbers(text: str) -> list[float]:
    found = _NUMBER.finditer(with_points(text))
    return [value for match in found if (value := _value(match)) is not None]


def _value(match: re.Match[str]) -> float | None:
    whole, part, under = match["whole"] or "0", match["part"] or "", match["under"]
    if match.string[match.start() - 1 : match.start()] == "/":  # a date
        under = None
    if len(match[0]) > _DIGITS:
        return None
    try:
        value = float(whole.replace(",", "") + part + (match["power"] or "")) / (
            float(under) if under else 1.0
        )
    except (ZeroDivisionError, OverflowError):
        return None
    if match["scale"]:
        value *= _SCALES[match["scale"].lower()]
    if (match["sign"] or match["inner"] or "+") not in "+":
        value = -value
    return value if math.isfinite(value) else None

"""One example: what was asked, what is right, two answers with the words that differ marked, and
what their scorers say.
"""

from __future__ import annotations

import json
import re
from itertools import groupby
from typing import TYPE_CHECKING

from ..analysis import words
from ..markup import esc, shorten, without_data
from ..version.diff import words as word_diff
from .grid import GridColumn, breaking, grid, short
from .theme import BAD, GOOD, NEUTRAL, UNSURE, chip, colour, in_text

if TYPE_CHECKING:
    from ..lab.study import Study
    from ..study.examples import Side, SideBySide

__all__ = ["detail_html"]

_SHOWN = 4_000  # characters of an output that a cell holds
_WORDS = re.compile(r"\w+")
_WRONG = "<del class='po-wrong'>{}</del>"


def detail_html(detail: SideBySide, study: Study, *, pinned: bool = False) -> str:
    """One example: what was asked, what was expected, both answers with the words that differ
    marked, and their scores.
    """
    example = detail.example
    pin = f" {chip('must-pass', UNSURE)}" if pinned else ""
    tags = (
        f" <span class='dim'>{esc(', '.join(example.tags))}</span>"
        if example and example.tags
        else ""
    )
    asked = "".join(
        f"<p class='dim'>{esc(name)}</p><pre>{_text(value)}</pre>"
        for name, value in _inputs(detail, study)
    )
    golden = (
        f"<p class='dim'>expected</p><pre>{_text(example.expected)}</pre>"
        if example and example.expected is not None
        else ""
    )
    shown = "".join(f"<div>{_side(side, answer, study)}</div>" for side, answer in _answers(detail))
    return (
        f"<h3>{esc(detail.example_id)}{pin}{tags}</h3>{asked}{golden}<div"
        f" class='po-two'>{shown}</div>"
    )


def _answers(detail: SideBySide) -> list[tuple[Side, str]]:
    """The baseline's answer, then the candidate's, with the words that differ marked."""
    sides = [side for side in (detail.old, detail.new) if side is not None]
    if len(sides) < 2:
        return [(side, _text(side.output)) for side in sides]
    old, new = sides
    pieces = word_diff(old.output or "", new.output or "")
    expected = detail.example.expected if detail.example else None
    right = None if expected is None else set(_WORDS.findall(_plainly(expected)))
    return [(old, _marked(pieces, "added", right)), (new, _marked(pieces, "removed", right))]


def _inputs(detail: SideBySide, study: Study) -> list[tuple[str, object]]:
    """The inputs that went into a prompt; all of them where no version is known."""
    if detail.example is None:
        return []
    names: set[str] = set()
    for arm in study.record.arms:
        version = study.recorded.version_of(arm.version)
        names |= {variable.name for variable in version.variables} if version else set()
    inputs = detail.example.inputs
    return [(name, value) for name, value in inputs.items() if name in names] or list(
        inputs.items()
    )


def _side(side: Side, shown: str, study: Study) -> str:
    number = next(
        (
            arm.number or place + 1
            for place, arm in enumerate(study.record.arms)
            if arm.label == side.label
        ),
        None,
    )
    failed = (
        f"<p style='color:{in_text(BAD)}'>{esc(side.failure)}: {esc(shorten(side.detail, 300))}</p>"
        if side.failure
        else ""
    )
    scores = _scores(side)
    tokens = (
        f"{side.tokens_in:,} + {side.tokens_out:,} tokens"
        if side.tokens_in is not None and side.tokens_out is not None
        else "tokens unknown"
    )
    latency = words.duration(side.latency_ms / 1000 if side.latency_ms is not None else None)
    cost = words.money(side.cost_usd) if side.cost_usd is not None else "cost unknown"
    facts = " · ".join(
        (
            cost,
            latency if latency != "–" else "latency unknown",
            tokens,
            words.count(side.attempts, "attempt"),
        )
    )
    sent = "".join(
        f"<p class='dim'>{esc(role)}</p><pre>{_text(text)}</pre>" for role, text in side.request
    )
    return (
        f"<p>{chip(side.label, colour(number))}</p><pre>{shown or '<i>no answer</i>'}</pre>"
        f"{failed}{scores}<p"
        f" class='dim'>{esc(facts)}</p>"
        + (f"<details><summary>messages as sent</summary>{sent}</details>" if sent else "")
        + (
            f"<details><summary>{words.count(len(side.tries), 'attempt')}</summary>{_tries(side)}"
            f"</details>"
            if side.tries
            else ""
        )
    )


def _scores(side: Side) -> str:
    """What each scorer says; reasons have a column where any has one."""
    columns: list[GridColumn | str] = ["scorer", GridColumn("score", number=True), "reason"]
    rows = [
        (
            breaking(score.scorer),
            (
                "<span"
                f" style='color:{_tint(score.value, score.passed)}'>"
                f"{_value(score.value, score.passed)}</span>"
            ),
            f"<span class='dim'>{esc(shorten(score.reason, 400))}</span>",
        )
        for score in side.scores
    ]
    width = 3 if any(score.reason for score in side.scores) else 2
    return (
        grid(columns[:width], [row[:width] for row in rows], caption=f"scores of {side.label}")
        if rows
        else ""
    )


def _tries(side: Side) -> str:
    rows = [
        (
            f"{each.number}",
            short(each.failure or "answered"),
            esc(words.duration(each.latency_ms / 1000)),
            esc(words.money(each.cost_usd)),
            f"<span class='dim'>{esc(shorten(each.detail or '', 200))}</span>",
        )
        for each in side.tries
    ]
    columns: list[GridColumn | str] = [
        "attempt",
        "outcome",
        GridColumn("took", number=True),
        GridColumn("cost", number=True),
        "detail",
    ]
    return grid(columns, rows, caption=f"attempts of {side.label}")


def _tint(value: float | None, passed: bool | None) -> str:
    if value is None:
        return in_text(NEUTRAL)
    return in_text(GOOD if (value >= 1 if passed is None else passed) else BAD)


def _value(value: float | None, passed: bool | None) -> str:
    if value is None:
        return "unscored"
    wording = "" if passed is None else "passed " if passed else "failed "
    return esc(wording + words.number(value, 3))


def _marked(pieces: list[tuple[str, str]], hidden: str, right: set[str] | None) -> str:
    """One side of a word diff: its own words marked, the other side's left out.

    right: the words of the golden answer, or None. What it holds is marked right and what it does
    not hold is marked wrong, on either side; nothing of an answer is struck through then.
    """
    marks = {"added": "<ins>{}</ins>", "removed": "<del>{}</del>", "same": "{}"}
    left, out = _SHOWN, []
    for tag, text in pieces:
        if tag == hidden:
            continue
        if tag != "same" and right is not None:
            out += _judged(text[:left], right, marks["added"])
        else:
            out.append(marks[tag].format(esc(text[:left])))
        left -= len(text)
        if left <= 0:
            out.append("<i> … cut here</i>")
            break
    return "".join(out)


def _judged(text: str, right: set[str], mark: str) -> list[str]:
    """Each run of words that the golden answer has, marked as right, and each other run as
    wrong.
    """
    pieces = re.findall(r"\W*\w+\W*|\W+", text)  # a word with the marks around it
    runs = groupby(pieces, lambda piece: right.issuperset(_WORDS.findall(piece)))
    return [(mark if held else _WRONG).format(esc("".join(run))) for held, run in runs]


def _plainly(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)


def _text(value: object) -> str:
    if value is None:
        return "<i>no answer</i>"
    text = without_data(_plainly(value))
    return esc(text[:_SHOWN]) + ("<i> … cut here</i>" if len(text) > _SHOWN else "")

"""Instructions that a program can check: one of the 25 kinds of IFEval, or all those that a
dataset's row carries.

0 or 1 for one, the share that was followed for a row; higher is better. Source: Zhou et al. 2023,
arXiv:2311.07911.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence

from ..errors import ScorerError
from ..score import Score
from ..signatures import explained
from .case import Case
from .declaration import declared
from .ifeval_kinds import BY_LANGUAGE, Check, described, prepared
from .rule import PASS, Rule, fail, rule, spelled

__all__ = ["instruction", "instructions"]

_LANGUAGE = frozenset(
    {
        "language:response_language",
        "change_case:english_capital",
        "change_case:english_lowercase",
    }
)


@declared(
    "assertion",
    example='instruction("punctuation:no_comma")',
    output="No comma here.",
    value=1.0,
    source="IFEval, arXiv:2311.07911",
)
@explained
def instruction(kind: str, *, loose: bool = False, **arguments: object) -> Rule:
    """The answer follows one instruction, as in `instruction("keywords:existence",
    keywords=["refund"])`. 0 or 1.

    The kinds and their arguments are those of IFEval. An empty answer follows no instruction.

    Args:
        kind: one of IFEval's kinds.
        loose: also accept an answer that follows it without its first line, its last line or
            both, or without its asterisks (IFEval's loose criterion).
        arguments: the kind's own arguments.

    Raises:
        ScorerError: if the kind is unknown, or does not take one of the arguments.
    """
    check = prepared(kind, arguments)
    failed = fail(f"does not follow {described(kind, arguments)}")

    def score(case: Case) -> Score:
        return PASS if follows(check, case.output, loose) else failed

    return rule(
        spelled("instruction", kind, loose=loose, **dict(sorted(arguments.items()))),
        "assertion",
        score,
        version=BY_LANGUAGE if kind in _LANGUAGE else "1",
    )


@declared(
    "assertion",
    example="instructions()",
    output="Well, no.",
    value=0.0,
    whole=False,
    source="IFEval, arXiv:2311.07911",
    given={"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
)
@explained
def instructions(
    *, column: str = "instruction_id_list", arguments: str = "kwargs", loose: bool = False
) -> Rule:
    """The share of the row's instructions that the answer follows; passed if it follows all;
    raw_value: the number that it follows.

    [0, 1], higher is better. A row whose kinds or arguments cannot be read is unscored; the reason
    names the row and the fault.

    Args:
        column: the column with the row's list of kinds.
        arguments: the column with their arguments, one mapping per kind (IFEval's own columns by
            default; None in a mapping means not given).
        loose: as in `instruction`.
    """
    if not all(isinstance(name, str) and name for name in (column, arguments)):
        raise ScorerError(
            f"instructions takes the names of two columns, not {column!r} and {arguments!r}."
        )

    def score(case: Case) -> Score:
        try:
            wanted = _read(case.example.column(column), case.example.column(arguments))
        except (ScorerError, ValueError, KeyError) as error:
            return Score.none(
                f"missing instructions: example {case.example.id!r}: {str(error)[:300]}"
            )
        missed = [wording for wording, check in wanted if not follows(check, case.output, loose)]
        value = 1 - len(missed) / len(wanted)
        reason = "does not follow " + "; ".join(missed[:3]) if missed else ""
        return Score(
            value,
            not missed,
            raw_value=float(len(wanted) - len(missed)),
            unit=f"of {len(wanted)}",
            reason=reason,
        )

    shown = spelled("instructions", loose=loose)
    if (column, arguments) != ("instruction_id_list", "kwargs"):
        shown = spelled("instructions", column, arguments=arguments, loose=loose)
    return rule(shown, "assertion", score, needs=[column, arguments], version=BY_LANGUAGE)


def follows(check: Check, text: str, loose: bool) -> bool:
    """Whether a text, or with `loose` any of its eight lenient forms, follows the instruction; an
    empty one never does.
    """
    return any(form.strip() and check(form) for form in (_forms(text) if loose else (text,)))


def _forms(text: str) -> Sequence[str]:
    lines = text.split("\n")
    forms = [text, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return [*forms, *(form.replace("*", "") for form in forms)]


def _read(kinds: object, arguments: object) -> list[tuple[str, Check]]:
    """(the instruction as a reason names it, its check) of a row's two columns, lists or their JSON
    text.
    """
    kinds, arguments = (
        json.loads(value) if isinstance(value, str) else value for value in (kinds, arguments)
    )
    if not (
        isinstance(kinds, (list, tuple))
        and isinstance(arguments, (list, tuple))
        and kinds
        and len(kinds) == len(arguments)
    ):
        raise ScorerError(
            "the kinds and their arguments must be two lists of the same length, at least one."
        )
    found = []
    for kind, given in zip(kinds, arguments, strict=True):
        if not (isinstance(kind, str) and isinstance(given, (Mapping, type(None)))):
            raise ScorerError(
                f"the kind {kind!r} with the arguments {given!r} is not valid; expected text and a"
                " map of arguments."
            )
        plain = {name: value for name, value in (given or {}).items() if value is not None}
        found.append(
            (
                described(kind, plain),
                _prepared(kind, json.dumps(plain, sort_keys=True, default=str)),
            )
        )
    return found


@functools.lru_cache(maxsize=4096)
def _prepared(kind: str, arguments: str) -> Check:
    """One check for the many answers to a row."""
    return prepared(kind, json.loads(arguments))

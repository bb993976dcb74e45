"""The checks that a dataset's row carries, as text: the scorers' own names, their arguments, a
threshold; never code.

    contains: refund                     word_count <= 50
    contains_any: refund, money back     similar_to >= 0.8: {{expected}}
    not mentions: Globex                 number_close(within=0.5): {{total}}
    json_has: user.id                    instruction: keywords:existence {"keywords": ["refund"]}

`{{column}}` means this row's value, which is never read as a check itself. What a check says
is checked before a study asks anything.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from ..dataset.example import Example
from ..errors import ScorerError
from ..score import Score
from ..signatures import explained
from . import (
    assertion,
    chosen,
    fields,
    ifeval,
    lengths,
    meaning,
    numbers,
    overlap,
    patterns,
    pii,
    refusal,
    regression,
    semantic,
    structure,
    tools,
    usage,
)
from .case import Case
from .composition import asked, not_
from .declaration import declared
from .row_arguments import bound_of, filled, has_column, range_of, read_argument, read_options
from .rule import Rule, passed, rule, snippet

__all__ = ["check_checks", "checks", "parsed"]

_FORM = re.compile(
    r"(?P<no>not\s+)?(?P<name>[a-z][a-z0-9_]*)\s*+(?:\((?P<options>[^()]*)\)\s*+)?(?:"
    r"(?P<op>>=|<=|==|>|<)\s*+(?P<bound>-?[0-9.eE+-]+)\s*+)?"
    r"(?::(?P<argument>.*))?",
    re.DOTALL,
)
_LONGEST = 20_000  # characters of one check

# how the argument reaches the scorer: as its text, as several texts, as a number, as JSON, as the
# golden answer, not at all
_TAKING: dict[str, tuple[Callable[..., Rule], ...]] = {
    "text": (
        assertion.contains,
        assertion.starts_with,
        assertion.ends_with,
        patterns.matches,
        structure.json_has,
        semantic.mentions,
        semantic.never_mentions,
        tools.tool_called,
    ),
    "texts": (
        assertion.contains_any,
        assertion.contains_all,
        assertion.one_of,
        usage.finish_reason,
        tools.tool_sequence,
        pii.no_pii,
    ),
    "golden": (
        assertion.equals,
        regression.exact,
        regression.similar_to,
        regression.edit_distance,
        meaning.similar_meaning,
        overlap.rouge_l,
        overlap.chrf,
        numbers.number_close,
        chosen.choice,
        chosen.answer_after,
        fields.json_equals,
    ),
    "number": (usage.latency_below, usage.cost_below, usage.tokens_below),
    "range": (lengths.word_count, lengths.length),
    "none": (structure.json_valid, refusal.refuses, refusal.does_not_refuse),
    "json": (fields.json_schema,),
    "instruction": (ifeval.instruction,),
}
_KNOWN = {
    function.__name__: (takes, function)
    for takes, functions in _TAKING.items()
    for function in functions
}


@dataclass(frozen=True, slots=True)
class RowCheck:
    """A check as it was read. build: the argument with its columns filled -> the rule; golden: it
    is the golden answer.
    """

    text: str
    argument: object
    golden: bool
    build: Callable[[object], Rule]
    fixed: Rule | None  # built once, where the argument is the same for every row

    def ask(self, case: Case) -> Score:
        """The verdict on a case, passed or not. Raises KeyError if the row lacks a column."""
        value = filled(self.argument, case.example)
        judged = self.fixed if self.fixed is not None else self.build(value)
        if self.golden and value is not None:
            case = replace(case, example=replace(case.example, expected=value))
        if self.golden and case.example.expected is None:
            return Score.none(f"missing expected: example {case.example.id!r} has no golden answer")
        found = asked(judged, case)
        if not isinstance(found, Score):
            raise TypeError(f"{self.text} gave {type(found).__name__} instead of a Score")
        return found


@declared(
    "assertion",
    example="checks()",
    output="We refund you.",
    value=0.5,
    whole=False,
    given={"checks": ["contains: refund", "word_count <= 2"]},
)
@explained
def checks() -> Rule:
    """The share of this row's checks that pass; passed if all do; raw_value: how many do. [0, 1],
    higher is better.

    The column `checks` contains a list of texts, or one text with a check per line (the grammar is
    in the docstring of `promptops.scorers.row_checks`). A row is unscored if it has no checks, or
    one that cannot be decided.
    """

    def score(case: Case) -> Score:
        wanted = case.example.checks
        if not wanted:
            return Score.none(f"missing checks: example {case.example.id!r} has none")
        failed = []
        for text in wanted:
            try:
                found = parsed(text).ask(case)
            except KeyError as error:
                return Score.none(
                    f"missing {error.args[0]}: example {case.example.id!r} has no such column for"
                    f" {snippet(text, 80)}"
                )
            if found.value is None:
                return Score.none(f"{text[:80]}: {found.unscored}")
            if not passed(found):
                failed.append(
                    f"{snippet(text, 80)[1:-1]}{f' ({found.reason})' if found.reason else ''}"
                )
        held = len(wanted) - len(failed)
        return Score(
            held / len(wanted),
            not failed,
            raw_value=float(held),
            unit=f"of {len(wanted)}",
            reason="; ".join(failed[:3]),
        )

    return rule("checks", "assertion", score, needs=["checks"], judges_failures=True)


def check_checks(examples: Iterable[Example]) -> None:
    """Raises ScorerError for the first check that cannot be read, or that names a column which its
    row has not.
    """
    for example in examples:
        for text in example.checks:
            try:
                filled(parsed(text).argument, example)
            except ScorerError as error:
                raise ScorerError(
                    f"example {example.id!r} has the check {snippet(text, 80)}: {error}"
                ) from None
            except KeyError as error:
                wording = (
                    f"names the column {error.args[0]!r}, which that row has not; its columns are"
                    f" {', '.join(example.inputs) or 'none'}."
                )
                raise ScorerError(f"example {example.id!r} has a check that {wording}") from None


@functools.lru_cache(maxsize=8192)
def parsed(text: str) -> RowCheck:
    """A check read from its text. Raises ScorerError, which says what is wrong with it."""
    match = (
        _FORM.fullmatch(text.strip()) if isinstance(text, str) and len(text) <= _LONGEST else None
    )
    if match is None:
        raise ScorerError(
            "it is not a check; write one such as `contains: refund` or `not similar_to >= 0.8:"
            " {{expected}}`."
        )
    name = match["name"]
    if name not in _KNOWN:
        close = difflib.get_close_matches(name, _KNOWN, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(sorted(_KNOWN))}."
        raise ScorerError(f"there is no check {name!r}; {hint}")
    takes, function = _KNOWN[name]
    options = read_options(name, function, match["options"] or "")
    bound = bound_of(match["op"], match["bound"])
    argument = read_argument(name, takes, match["argument"])
    if takes == "range":
        options |= range_of(name, bound)
    elif (
        bound is not None
        and bound[0] != ">="
        and not (name == "edit_distance" and bound[0] == "<=")
    ):
        raise ScorerError(
            f"{name} is compared with >= only; write `not {name} >= ...` for the opposite."
        )

    def build(value: object) -> Rule:
        found = _called(takes, function, value, options, bound)
        return not_(found) if match["no"] else found

    columns = has_column(argument)
    fixed = build(None) if takes == "golden" else None if columns else build(argument)
    return RowCheck(text.strip(), argument, takes == "golden", build, fixed)


def _called(
    takes: str,
    function: Callable[..., Rule],
    value: Any,
    options: dict[str, object],
    bound: tuple[str, float] | None,
) -> Rule:
    more = dict(options)
    if bound is not None and bound[0] == "<=" and takes == "golden":
        more["at_most"], bound = int(bound[1]), None
    if takes == "text":
        built = function(assertion.as_text(value), **more)
    elif takes == "texts":
        listed = value if isinstance(value, (list, tuple)) else [] if value is None else [value]
        built = function(*map(assertion.as_text, listed), **more)
    elif takes == "number":
        number = float(value) if isinstance(value, str) else value
        built = function(
            int(number) if isinstance(number, float) and number.is_integer() else number, **more
        )
    elif takes == "json":
        built = function(value, **more)
    elif takes == "instruction":
        built = function(value["kind"], **value["arguments"], **more)
    else:
        built = function(**more)
    return built if bound is None or takes == "range" else built.at_least(bound[1])

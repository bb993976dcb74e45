"""A built-in scorer is a value: a rule with its arguments, named by what it demands.

The same rule with the same arguments has the same name and version on any machine, so old scores
stay comparable; a renamed rule keeps its arguments in its version. Rules never wait for anything
unless something that they hold does.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from ..errors import ScorerError
from ..markup import shorten
from ..score import Score
from .case import Case, Scorer

if TYPE_CHECKING:
    from ..version import PromptVersion

__all__ = [
    "PASS",
    "Judged",
    "Rule",
    "argument",
    "fail",
    "judge_calls",
    "passed",
    "rule",
    "snippet",
    "spelled",
    "then",
    "verdict",
]

Judged = Score | Sequence[Score] | Awaitable[Score | Sequence[Score]]

PASS = Score(1.0, True)  # shared: a score is a value, and most verdicts are this one
_QUOTED = set(',()="{}<>|:')
_SHOWN = 48  # characters of one argument in a name; longer ones end in their hash


@dataclass(frozen=True, slots=True)
class Rule:
    """One built-in scorer, equal by name and version; implements `promptops.scorers.case.Scorer`.

    name: rule and arguments, or what `.named()` gave; spec: rule and arguments, always; inner:
    whatever else decides how it judges and no name shows (the versions of its parts, a judge's
    prompt); version: a number, raised when the same arguments begin to judge otherwise, and
    the hash of spec, where the name does not show it, and of inner;
    texts: (text, how a column is written) of each fixed text that is given where a column could be
    meant; inner_now: reads `inner` afresh, of a rule that holds a function; judges: the version
    of each call by which it asks a model about one answer.
    """

    name: str
    version: str
    kind: str
    score: Callable[[Case], Judged] = field(compare=False, repr=False)
    needs: tuple[str, ...] = ()
    judges_failures: bool = False
    against: str | None = None
    remote: bool = False
    spec: str = ""
    threshold: float | None = None
    inner: str = ""
    texts: tuple[tuple[str, str], ...] = field(default=(), compare=False, repr=False)
    inner_now: Callable[[], str] | None = field(default=None, compare=False, repr=False)
    judges: tuple[PromptVersion, ...] = field(default=(), compare=False, repr=False)

    def named(self, name: str) -> Self:
        """The same rule under a name of your own."""
        if not isinstance(name, str) or not name.strip() or len(name) > 200:
            raise ScorerError(
                f"a scorer's name is {name!r}; give it a text of 1 to 200 characters."
            )
        return replace(
            self,
            name=name.strip(),
            version=_version(self.version, self.spec or self.name, self.inner),
        )

    def at_least(self, threshold: float) -> Self:
        """The same rule, passed where its value is at least `threshold` (in [0, 1])."""
        if (
            isinstance(threshold, bool)
            or not isinstance(threshold, (int, float))
            or not (math.isfinite(threshold) and 0 <= threshold <= 1)
        ):
            raise ScorerError(
                f"at_least={threshold!r} of {self.name} is not a threshold; give a number between 0"
                " and 1."
            )
        if self.threshold is not None:
            raise ScorerError(
                f"{self.name} has the threshold {self.threshold:g} already; build it again with the"
                " other one."
            )
        spec = f"{self.spec or self.name}>={threshold:g}"
        renamed = bool(self.spec) and self.name != self.spec
        return replace(
            self,
            name=self.name if renamed else spec,
            version=_version(self.version, spec, self.inner) if renamed else self.version,
            score=_barred(self.score, float(threshold)),
            spec=spec,
            threshold=float(threshold),
        )

    def as_it_is(self) -> Self:
        """The same rule under the version of what the functions that it holds do now."""
        inner = self.inner if self.inner_now is None else self.inner_now()
        if inner == self.inner:
            return self
        spec = self.spec if self.name != self.spec else ""
        return replace(self, version=_version(self.version, spec, inner), inner=inner)

    def __str__(self) -> str:
        return self.name


def judge_calls(scorer: Scorer) -> int:
    """How many questions a scorer asks a model about one answer: at least one if it is a judge."""
    asked = len(scorer.judges) if isinstance(scorer, Rule) else 0
    return asked or int(scorer.kind == "judge")


def rule(
    spec: str,
    kind: str,
    score: Callable[[Case], Judged],
    *,
    needs: Sequence[str] = (),
    version: str = "1",
    inner: str | Callable[[], str] = "",
    **more: Any,
) -> Rule:
    """The rule that `spec` spells; inner: a function that reads it, where it can change; more:
    judges_failures, against, remote, texts, judges.
    """
    found = inner() if callable(inner) else inner
    return Rule(
        spec,
        _version(version, "", found),
        kind,
        score,
        tuple(dict.fromkeys(needs)),
        spec=spec,
        inner=found,
        inner_now=inner if callable(inner) else None,
        **more,
    )


def spelled(function: str, *shown: object, **options: object) -> str:
    """`function(a, b, option=c)`: how a rule is named.

    Options that are None or False are left out.
    """
    parts = [argument(value) for value in shown]
    shown_options = {
        name: value for name, value in options.items() if value is not None and value is not False
    }
    parts += [f"{name}={argument(value)}" for name, value in shown_options.items()]
    return f"{function}({', '.join(parts)})"


def argument(value: object) -> str:
    """One argument as a name shows it: plain if that is unambiguous, JSON else, cut with its
    hash where long.
    """
    if isinstance(value, str):
        text = value
        if (
            not text
            or text != text.strip()
            or not text.isprintable()
            or _QUOTED & set(text)
            or _reads_as_json(text)
        ):
            text = json.dumps(text, ensure_ascii=not text.isprintable())
    else:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 10]}…#{_hash(text)}"


def verdict(ok: bool, reason: str) -> Score:
    """Passed, or failed with the reason."""
    return PASS if ok else fail(reason)


def fail(reason: str) -> Score:
    """A failed assertion: value 0, and one sentence why."""
    return Score(0.0, False, reason=reason)


def snippet(text: object, width: int = 60) -> str:
    """Text of an answer as a reason quotes it: one line, cut, terminal-safe, and always storable as
    UTF-8.
    """
    head = str(text)[: width * 4]
    if not head.isascii():
        head = head.encode("utf-8", "replace").decode()
    return f'"{shorten(head, width)}"'


def passed(score: Score) -> bool | None:
    """Whether a score counts as passed: by its own threshold, else a full value; None if it is
    unscored.
    """
    if score.value is None:
        return None
    return score.passed if score.passed is not None else score.value >= 1.0


def then(judged: Judged, finish: Callable[[Score], Score]) -> Judged:
    """`finish` applied to every score of a judgement, awaited first if it has to be."""
    if isinstance(judged, Score):
        return finish(judged)
    if inspect.isawaitable(judged):

        async def later() -> Score | Sequence[Score]:
            done = await judged
            return finish(done) if isinstance(done, Score) else [finish(score) for score in done]

        return later()
    return [finish(score) for score in judged]


def _version(version: str, spec: str, inner: str) -> str:
    """The number that `version` begins with, and a hash over what the name does not show."""
    number = version.partition("-")[0]
    hidden = f"{spec}\n{inner}" if inner else spec
    return f"{number}-{_hash(hidden)}" if hidden else number


def _barred(score: Callable[[Case], Judged], threshold: float) -> Callable[[Case], Judged]:
    def held(found: Score) -> Score:
        return found if found.value is None else replace(found, passed=found.value >= threshold)

    return lambda case: then(score(case), held)


def _reads_as_json(text: str) -> bool:
    if text[0] not in "-0123456789[tfnNI":
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]

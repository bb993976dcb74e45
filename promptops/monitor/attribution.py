"""The cause of an alarm, from a table of what moved; "unknown" where that shows nothing.

Each cause rests on a fact that was recorded: the model or fingerprint that the provider's own
replies name, the version that the registry served, the anchor's answers judged again, the inputs
that users sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..markup import shorten
from .drift_file import MonitorFile, Series

__all__ = ["JUDGE_EVIDENCE", "Cause", "cause_of_probe", "lost_examples"]

JUDGE_EVIDENCE = 20.0  # of the judged-again answers: one false word in twenty at most
_SHOWN = 10  # examples that a sentence lists
_LONG = 2_000  # characters of a sentence

Kind = Literal["provider_model", "provider_behaviour", "deployment", "inputs", "judge", "unknown"]


@dataclass(frozen=True, slots=True)
class Cause:
    """kind: the row of the table; sentence: for people, on one line, whatever the names of models,
    examples and authors in it hold; facts: what it rests on; command: what undoes it, "" if nothing
    of our own does.
    """

    kind: Kind
    sentence: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sentence", shorten(self.sentence, _LONG))

    def document(self) -> dict[str, Any]:
        """JSON-ready, for the monitor's file and the webhook."""
        return asdict(self)


def cause_of_probe(
    file: MonitorFile, series: Series, since: str, lost: Sequence[str], rise: bool = False
) -> Cause:
    """Why the same version scores otherwise on the same examples since a day.

    Args:
        file: with the day of the alarm.
        series: the scorer that alarmed.
        since: the first day that the evidence counts to the change.
        lost: examples that were right and are not.
        rise: the score went up, not down.
    """
    judge = _judge(series, since)
    changed, facts = _answered(file, series, since)
    facts = {**facts, "lost": list(lost)}
    if judge is not None and changed:
        return Cause(
            "unknown",
            f"two things moved at once: {judge} And {changed}",
            facts,
        )
    if judge is not None:
        return Cause("judge", judge, facts)
    if changed:
        return Cause("provider_model", f"the provider changed the model: {changed}", facts)
    if not facts["names"] or not any(any(pair) for pair in facts["names"]):
        return Cause(
            "unknown",
            "the replies name neither a model nor a fingerprint, so that nothing says who changed;"
            f" {_losses(lost, rise)}",
            facts,
        )
    return Cause(
        "provider_behaviour",
        "the provider changed the behaviour under the same name: model and fingerprint are as"
        f" before; {_losses(lost, rise)}",
        facts,
    )


def lost_examples(file: MonitorFile, series: Series, scores: Sequence[float]) -> list[str]:
    """Examples whose score fell by at least a half from the anchor's mean, the largest fall first;
    scores: of one day, in the file's order, NaN if unscored.
    """
    falls = [
        (mean - score, example)
        for example, mean, score in zip(file.examples, series.means, scores, strict=True)
        if mean - score >= 0.5
    ]
    return [example for _, example in sorted(falls, key=lambda fall: (-fall[0], fall[1]))]


def _judge(series: Series, since: str) -> str | None:
    """The sentence, where the anchor's own answers are judged lower since then."""
    days = [day for day in series.days if day.day >= since and day.judge_e is not None]
    if not days or max(day.judge_e or 0.0 for day in days) < JUDGE_EVIDENCE:
        return None
    last = days[-1]
    return (
        f"the judge drifted: the anchor's own answers, judged again, score"
        f" {100 * abs(last.judge_change or 0.0):.0f} points lower than when they were given."
    )


def _answered(file: MonitorFile, series: Series, since: str) -> tuple[str, dict[str, Any]]:
    """A sentence where other models or fingerprints answer since then, and the means of each."""
    size = len(file.examples)
    means: dict[tuple[str, str], list[float]] = {}
    before: set[tuple[str, str]] = {_pair(file.anchored.get("answered_by"))}
    after: list[tuple[str, str]] = []
    for day in series.days:
        pair = file.answered_by[day.answered_by]
        means.setdefault(pair, []).append(day.total / size)
        (after.append if day.day >= since else before.add)(pair)
    new = [pair for pair in dict.fromkeys(after) if pair not in before]
    shown = {_name(pair): round(sum(each) / len(each), 4) for pair, each in means.items()}
    facts: dict[str, Any] = {"names": [list(p) for p in dict.fromkeys([*before, *after])]}
    facts["means"] = shown
    known_before = [pair for pair in before if any(pair)]
    if not new or not known_before or not any(any(pair) for pair in new):
        return "", facts
    anchor = sum(series.totals) / len(series.totals) / size
    return (
        f"since {since} {_name(new[-1])} answers (mean {100 * shown[_name(new[-1])]:.0f} %), before"
        f" it {_name(sorted(known_before)[-1])} (anchor {100 * anchor:.0f} %).",
        facts,
    )


def _pair(value: Any) -> tuple[str, str]:
    return (str(value[0]), str(value[1])) if value else ("", "")


def _name(pair: tuple[str, str]) -> str:
    model, mark = pair
    return f"{model or 'a model without a name'}{f' ({mark})' if mark else ''}"


def _losses(lost: Sequence[str], rise: bool) -> str:
    if rise:
        return "the score rose."
    if not lost:
        return "no single example fell by half."
    more = f" and {len(lost) - _SHOWN:,} more" if len(lost) > _SHOWN else ""
    return f"lost on the last day: {', '.join(lost[:_SHOWN])}{more}."

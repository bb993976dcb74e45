"""Another model behind the same name or address: its answers are mixed with those of the model
before, and nothing else shows it. The same of a judge or an embedder, whose scores are.

Names that came back are compared, and fingerprints where one followed another: a provider that
answers with several at the same time has not changed. Arms that ask for the same model are looked
at together, since one may have old answers and another new ones.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from .queries.answerers import answerers_of, judges_of

if TYPE_CHECKING:
    from ..run import Run
    from ..store import Store
    from .queries.arm_rows import Source
    from .study_record import ScorerRef

__all__ = ["Answerers", "other_models"]

_FEWEST = 3  # answers of a fingerprint; fewer may have come one after the other by chance
_AGAIN = "evaluate(..., fresh=True) asks all of them again."
_POOLED = (
    "those of earlier studies count here with this study's, and fresh=True does not take them out;"
    " examples that the pair was never asked compare without them."
)
_ASKS_NOBODY = {"assertion", "regression"}  # kinds of scorers
_Who = tuple[int, str, str | None]  # place of the arm, model returned, fingerprint


class _Came(NamedTuple):
    """Answers of one arm that came back under one name and fingerprint, between two moments; or
    scores that rest on such replies.
    """

    place: int
    arm: str
    returned: str
    fingerprint: str | None
    answers: int
    first: Any
    last: Any


class Answerers:
    """Who answered the questions of one pass, noted as the answers come: a pass that asked all of
    its study need not read every answer again to know that each model asked for is one model.
    """

    def __init__(self) -> None:
        self._came: dict[tuple[str, str], tuple[set[str], set[str]]] = {}

    def note(self, runs: Iterable[Run]) -> None:
        """These came back."""
        for run in runs:
            if run.model_returned is not None:
                came = self._came.setdefault((run.model, run.endpoint), (set(), set()))
                came[0].add(run.model_returned)
                if run.system_fingerprint is not None:
                    came[1].add(run.system_fingerprint)

    @property
    def alike(self) -> bool:
        """Whether each model asked for came back under one name, with one fingerprint at most."""
        return all(len(names) < 2 and len(marks) < 2 for names, marks in self._came.values())


def other_models(
    store: Store,
    sources: Sequence[Source],
    scorers: Sequence[ScorerRef] = (),
    earlier: Sequence[Source] = (),
    primary: str = "",
) -> list[str]:
    """A sentence for each model asked for, and for each judge, that is more than one model by what
    came back, with the next step.

    Args:
        store: where the answers are.
        sources: the arms that are read side by side.
        scorers: whose scores are read.
        earlier: the same arms in earlier studies, whose answers are pooled with these.
        primary: the scorer whose scores are pooled.
    """
    found = _mixed(store, sources, scorers)
    out = {who: f"{said}; {_AGAIN}" for who, said in found.items()}
    if earlier:
        decides = [ref for ref in scorers if ref.name == primary]
        for who, said in _mixed(store, [*sources, *earlier], decides).items():
            out.setdefault(who, f"{said}; {_POOLED}")
    return list(out.values())


def _mixed(
    store: Store, sources: Sequence[Source], scorers: Sequence[ScorerRef]
) -> dict[tuple[str, str], str]:
    """Who is more than one model: (model, endpoint) or (scorer, its version) -> what to say."""
    out: dict[tuple[str, str], str] = {}
    asked_for: dict[tuple[str, str], list[_Came]] = defaultdict(list)
    for place, asked, endpoint, *rest in answerers_of(store, sources):
        asked_for[str(asked), str(endpoint)].append(_Came(place, sources[place][2], *rest))
    for who, came in asked_for.items():
        if shown := _told_apart(came):
            out[who] = (
                f"Answers of {_arms(came)} are of more than one model behind {who[0]!r}: {shown}"
            )
    for who, came in _judged(store, sources, scorers).items():
        if shown := _told_apart(came):
            out[who] = f"Scores of {_arms(came)} by {who[0]} are of more than one model: {shown}"
    return out


def _judged(
    store: Store, sources: Sequence[Source], scorers: Sequence[ScorerRef]
) -> Mapping[tuple[str, str], list[_Came]]:
    """(scorer, its version) -> which models its scores rest on. Verdicts that a judge gave with one
    reply count once.
    """
    names = {ref.name for ref in scorers if ref.kind not in _ASKS_NOBODY}
    given: dict[tuple[str, str, str], dict[_Who, _Came]] = defaultdict(dict)
    for place, name, version, *rest in judges_of(store, sources) if names else ():
        own = next((one for one in names if name == one or name.startswith(f"{one}/")), None)
        if own is not None:
            came = _Came(place, sources[place][2], *rest)
            rows, who = given[own, version, name], (place, came.returned, came.fingerprint)
            rows[who] = _joined(rows[who], came) if who in rows else came
    out: dict[tuple[str, str], list[_Came]] = {}
    for (own, version, _), rows in given.items():
        first = out.setdefault((own, version), [])
        if sum(came.answers for came in rows.values()) > sum(came.answers for came in first):
            out[own, version] = list(rows.values())
    return out


def _joined(one: _Came, two: _Came) -> _Came:
    return one._replace(
        answers=one.answers + two.answers,
        first=min(one.first, two.first),
        last=max(one.last, two.last),
    )


def _arms(came: Sequence[_Came]) -> str:
    """The names of the arms that they are of, in order."""
    return _and(list(dict.fromkeys(each.arm for each in sorted(came, key=_place))))


def _told_apart(came: list[_Came]) -> str:
    """The models that came back, oldest first, with their answers; "" if they are one."""
    several = len({each.place for each in came}) > 1
    names: dict[str, list[_Came]] = {}
    for each in came:
        names.setdefault(each.returned, []).append(each)
    if len(names) > 1:
        return ", ".join(f"{name} ({_counted(rows, several)})" for name, rows in names.items())
    marks: dict[str, list[_Came]] = {}
    for each in came:
        if each.fingerprint is not None:
            marks.setdefault(each.fingerprint, []).append(each)
    spans = [(min(c.first for c in rows), max(c.last for c in rows)) for rows in marks.values()]
    followed = all(one[1] < two[0] for one, two in pairwise(spans))  # none of them mixed
    few = any(sum(c.answers for c in rows) < _FEWEST for rows in marks.values())
    if len(marks) < 2 or not followed or few:
        return ""
    return ", then ".join(
        f"fingerprint {mark} ({_counted(rows, several)})" for mark, rows in marks.items()
    )


def _counted(came: Sequence[_Came], several: bool) -> str:
    """How many answers, and of which arms if there are several."""
    counts: Counter[str] = Counter()
    for each in sorted(came, key=_place):
        counts[each.arm] += each.answers
    return ", ".join(
        f"{count:,} of {arm}" if several else f"{count:,}" for arm, count in counts.items()
    )


def _place(came: _Came) -> int:
    return came.place


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

"""Examples that are asked the same and have other golden answers: a newer form of one example, such
as a corrected one, or rows of their own, such as the answers of two people.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .queries.rows_of_studies import outcomes_in_study, rows_in_studies

if TYPE_CHECKING:
    from ..analysis.tried import TriedCandidate
    from ..store import Store

__all__ = ["judged_on_less", "superseded"]


def superseded(
    store: Store,
    studies: Sequence[str],
    versions: Sequence[str],
    asked: Iterable[tuple[str, str, str]],
    left: Collection[str],
) -> set[str]:
    """The fingerprints of examples whose answers count for a newer form alone: every version was
    asked the same in a later study. Where one study has both, they are rows of their own, unless
    the later study has as many rows of this question.

    Args:
        store: the store that holds the studies.
        studies: whose answers are gathered, oldest first.
        versions: ids of the versions that answered.
        asked: (version, fingerprint, question) of their answers.
        left: the fingerprints of the examples that the study at hand does not have.
    """
    if not left:
        return set()
    order = {study: place for place, study in enumerate(studies)}
    held: defaultdict[str, dict[int, int]] = defaultdict(dict)  # fingerprint -> study -> rows
    for study, fingerprint, count in rows_in_studies(store, studies, versions):
        held[fingerprint][order[study]] = count
    by_question: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    alike: defaultdict[str, dict[str, set[str]]] = defaultdict(dict)  # by version, of those left
    for version, fingerprint, question in asked:
        same = by_question[version, question]
        same.add(fingerprint)
        if fingerprint in left:
            alike[fingerprint].setdefault(version, set())
    for (version, _), same in by_question.items():
        for one in same & alike.keys():
            alike[one][version] |= same
    found = set()
    for one, by_version in alike.items():
        forms = [held[each] for each in set.intersection(*by_version.values())]
        if any(_newer(other, held[one], forms) for other in forms):
            found.add(one)
    return found


def _newer(other: dict[int, int], one: dict[int, int], forms: Sequence[dict[int, int]]) -> bool:
    """Whether an example took the place of another. Both: rows by the place of the study; forms:
    those of all examples that are asked the same.
    """
    before = max(one)
    alone = other.keys().isdisjoint(one)
    return any(
        place > before and (alone or _rows(forms, place) >= _rows(forms, before)) for place in other
    )


def _rows(forms: Sequence[dict[int, int]], place: int) -> int:
    return sum(form.get(place, 0) for form in forms)


def judged_on_less(
    store: Store, judged: Sequence[TriedCandidate], ahead: tuple[int, int] = (0, 0)
) -> list[TriedCandidate]:
    """The judgements, oldest first. The same answers on fewer rows are another judgement where what
    is left out are golden answers that contradict those that stay.

    ahead: (rows, how many more examples than questions) of a study that is not recorded yet.
    """
    out: list[TriedCandidate] = []
    last: dict[tuple[str, str, str], tuple[TriedCandidate, int]] = {}
    for each in judged:
        key = (each.candidate, each.digest, each.primary)
        before, place = last.get(key, (each, 0))
        if each.n < before.n:
            now, then = (
                ahead if one.study == "ahead" else _rows_and_contradictions(store, one)
                for one in (each, before)
            )
            place += now[0] < then[0] and now[1] < then[1]
        last[key] = each, place
        out.append(replace(each, digest=f"{each.digest}.{place}") if place else each)
    return out


def _rows_and_contradictions(store: Store, judged: TriedCandidate) -> tuple[int, int]:
    name, _, version = judged.primary.rpartition("@")
    rows, outcomes, runs = outcomes_in_study(store, judged.study, judged.candidate, (name, version))
    return rows, outcomes - runs

"""Clusters by which earlier studies judged the same examples: they stay in force.

A cluster says that its examples are not independent, and that stays true where a later dataset does
not say it: without it, the same answers would be judged again as more evidence than they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .like_data import ExampleContents
from .queries.clustered_studies import asked_by_examples, clustered_studies, clusters_of
from .queries.studies_of_versions import studies_by_dataset

if TYPE_CHECKING:
    from ..dataset import Example
    from ..store import Store
    from .study_record import StudyRecord

__all__ = ["ClustersBefore", "clusters_before"]


@dataclass(frozen=True, slots=True)
class ClustersBefore:
    """pairs: ids of two examples of one earlier cluster that no cluster of today joins; studies:
    names of the studies that had them, oldest first.
    """

    pairs: tuple[tuple[str, str], ...] = ()
    studies: tuple[str, ...] = ()


def clusters_before(
    store: Store, record: StudyRecord, versions: Sequence[str], examples: Sequence[Example]
) -> ClustersBefore:
    """What the studies before this one that judged any of its versions say of its examples.

    An example is the same where its fingerprint, what it asks (`like_data`), or the questions that
    it makes of all these versions are.

    Args:
        store: the store that is looked through.
        record: of the study at hand.
        versions: ids of the versions that are compared.
        examples: those that are judged, of earlier studies too.
    """
    by_dataset = studies_by_dataset(store, versions) if record.rules >= 2 else {}
    own = record.dataset.fingerprint
    others = [id_ for dataset, ids in by_dataset.items() if dataset != own for id_ in ids]
    found = clustered_studies(store, others, record.id) if others else []
    pairs, names = list[tuple[str, str]](), list[str]()
    for dataset in dict.fromkeys(row[2] for row in found):
        same = _same_examples(store, record, versions, examples, (dataset, by_dataset[dataset]))
        joined = list(_joined(clusters_of(store, dataset), same, examples))
        if joined:
            pairs += joined
            names += [name for _, name, other in found if other == dataset]
    return ClustersBefore(tuple(pairs), tuple(dict.fromkeys(names)))


def _joined(
    clusters: Iterable[tuple[str, str]],
    same: dict[str, set[str]],
    examples: Iterable[Example],
) -> Iterable[tuple[str, str]]:
    """Pairs of ids that share an earlier cluster, and none of their own. same: the fingerprint of
    an earlier example -> fingerprints of those at hand.
    """
    by_print: defaultdict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_print[example.fingerprint].append(example)
    first: dict[str, Example] = {}
    for fingerprint, cluster in clusters:
        for example in (e for each in same.get(fingerprint, ()) for e in by_print[each]):
            one = first.setdefault(cluster, example)
            if one.id != example.id and (one.cluster is None or one.cluster != example.cluster):
                yield one.id, example.id


def _same_examples(
    store: Store,
    record: StudyRecord,
    versions: Sequence[str],
    examples: Sequence[Example],
    earlier: tuple[str, Sequence[str]],
) -> dict[str, set[str]]:
    """Fingerprint of an earlier example -> fingerprints of the examples at hand that are the same.

    earlier: fingerprint of the dataset, ids of its studies.
    """
    dataset, studies = earlier
    kept = ExampleContents.kept(store, dataset)
    same: defaultdict[str, set[str]] = defaultdict(set)
    for example in examples:
        if example.fingerprint in kept.rows:
            same[example.fingerprint].add(example.fingerprint)
    for mine, theirs in ExampleContents.of(examples).matches(kept):
        same[theirs].add(mine)
    for mine, theirs in _asking_the_same(store, record.id, studies, versions):
        same[theirs].add(mine)
    return same


def _asking_the_same(
    store: Store, study: str, others: Sequence[str], versions: Sequence[str]
) -> Iterable[tuple[str, str]]:
    """(fingerprint in this study, fingerprint in the others) of examples that make the same
    questions of every one of the versions.
    """
    asking: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for version, fingerprint, key in asked_by_examples(store, others, versions):
        asking[version, key].add(fingerprint)
    met: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for version, fingerprint, key in asked_by_examples(store, [study], versions):
        met[fingerprint][version] |= asking.get((version, key), set())
    for fingerprint, by_version in met.items():
        if len(by_version) == len(set(versions)):
            for theirs in set.intersection(*by_version.values()):
                yield fingerprint, theirs

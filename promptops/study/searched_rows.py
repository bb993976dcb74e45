"""Examples that a search for a better version saw. The version was chosen because it leads on them,
and its prompt may show them, so its lead on them is not evidence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..analysis.words import count
from ..dataset import Dataset, Example
from .copies import Reads, asked_alike, reads_of
from .descent import Descent
from .queries.kept_content import example_documents
from .queries.plans import searches
from .records import keep_examples, load_version

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["keep_searched", "keep_seen", "searched_prints", "searched_statement"]


def keep_searched(store: Store, splits: Iterable[Dataset]) -> None:
    """Record the examples that a search sees. A study that came with a file brought some."""
    for part in splits:
        if len(example_documents(store, part.fingerprint)) < len(part):
            keep_examples(store, part)


def keep_seen(store: Store, dataset: Dataset) -> None:
    """Record again what searches saw of a dataset, where a purge took it."""
    known = {part for _, _, splits in searches(store) for part in splits}
    if known:
        parts = (dataset.train, dataset.val)
        keep_searched(store, [part for part in parts if part.fingerprint in known])


def searched_statement(
    store: Store, pair: Sequence[str], label: str, dataset: Iterable[Example]
) -> str:
    """One sentence on the examples of a dataset that a search saw which made or chose a version, or
    the one that it comes from; "" if there are none. An example is the same if the version is asked
    the same.

    pair: ids of the version and of the one that it is compared with, if there is one.
    """
    found = searches(store)
    if not found:
        return ""
    known, reads = Descent(store, *pair[:2]), reads_of(load_version(store, pair[0]))
    asked = [asked_alike(example, reads) for example in dataset]
    seen: dict[str, set[object]] = {}
    for id_, seed, splits in found:
        for part in splits:
            seen[part] = seen.get(part) or _asked_in(store, part, reads)
        met = sum(any(each in seen[part] for part in splits) for each in asked)
        relation = known.relation(id_, seed) if met else ""
        if relation:
            whom = label if relation == "itself" else f"what {label} is an edit of"
            return (
                f"The search {id_[:9]} made or chose {whom} on {met:,} of these"
                f" {count(len(asked), 'example')}, so its lead on them is not evidence."
            )
    return ""


def searched_prints(store: Store, pair: Sequence[str]) -> set[str]:
    """The fingerprints of all examples that such searches saw. pair: as above."""
    known = Descent(store, *pair[:2])
    found = [parts for id_, seed, parts in searches(store) if known.relation(id_, seed)]
    splits = {part for parts in found for part in parts}
    return {fingerprint for part in splits for _, fingerprint, _ in example_documents(store, part)}


def _asked_in(store: Store, dataset: str, reads: Reads) -> set[object]:
    """What an arm is asked in a dataset, typed as it may be."""
    return {
        asked_alike(Example.from_document(json.loads(document), fingerprint), reads)
        for document, fingerprint, _ in example_documents(store, dataset)
    }

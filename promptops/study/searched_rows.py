"""Examples that a search for a better version saw. The version was chosen because it leads on them,
and its prompt may show them, so its lead on them is not evidence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..analysis.words import count
from ..dataset import Dataset, Example
from .copies import asked_alike, reads_of
from .queries.kept_content import example_documents
from .queries.plans import searches_of
from .records import keep_examples, load_version

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["keep_searched", "searched_prints", "searched_statement"]


def keep_searched(store: Store, splits: Iterable[Dataset]) -> None:
    """Record the examples that a search sees."""
    for part in splits:
        if not example_documents(store, part.fingerprint):
            keep_examples(store, part)


def searched_statement(store: Store, version: str, label: str, dataset: Iterable[Example]) -> str:
    """One sentence on the examples of a dataset that a search saw which made or chose a version;
    "" if there are none. An example is the same if the version is asked the same.
    """
    reads, examples = None, list(dataset)
    for id_, splits in searches_of(store, version):
        reads = reads or reads_of(load_version(store, version))
        seen = {asked_alike(example, reads) for part in splits for example in _kept(store, part)}
        met = sum(asked_alike(example, reads) in seen for example in examples)
        if met:
            return (
                f"The search {id_[:9]} made or chose {label} on {met:,} of these"
                f" {count(len(examples), 'example')}, so its lead on them is not evidence."
            )
    return ""


def searched_prints(store: Store, version: str) -> set[str]:
    """The fingerprints of all examples that such searches saw."""
    splits = {part for _, parts in searches_of(store, version) for part in parts}
    return {fingerprint for part in splits for _, fingerprint, _ in example_documents(store, part)}


def _kept(store: Store, dataset: str) -> Iterable[Example]:
    for document, fingerprint, _ in example_documents(store, dataset):
        yield Example.from_document(json.loads(document), fingerprint)

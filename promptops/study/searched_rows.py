"""Examples that a search for a better version saw. The version was chosen because it leads on them,
and its prompt may show them, so its lead on them is not evidence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from ..analysis.words import count
from ..dataset import Dataset, Example
from .copies import asked_alike, reads_of
from .descent import Descent
from .like_data import ExampleContents
from .queries.kept_content import example_documents
from .queries.plans import asked_by, searches
from .records import keep_examples, load_version

if TYPE_CHECKING:
    from ..store import Store

__all__ = [
    "Asked",
    "keep_searched",
    "keep_seen",
    "searched_beside",
    "searched_prints",
    "searched_statement",
]

# what a version reads -> dataset -> what it is asked there -> fingerprints of the examples; columns
Asked = dict[object, dict[str, tuple[dict[object, list[str]], set[str]]]]


def keep_searched(store: Store, splits: Iterable[Dataset]) -> None:
    """Record the examples that a search sees. A study that came with a file brought some."""
    for part in splits:
        if len(example_documents(store, part.fingerprint)) < len(part):
            keep_examples(store, part)


def keep_seen(store: Store, dataset: Dataset) -> None:
    """Record again what searches saw of a dataset, where a purge took it."""
    if not store.has("optimizations"):  # which needs no database where this process is alone
        return
    known = {part for _, _, splits in searches(store) for part in splits}
    if known:
        parts = (dataset.train, dataset.val)
        keep_searched(store, [part for part in parts if part.fingerprint in known])


def searched_statement(
    store: Store,
    pair: Sequence[str],
    label: str,
    dataset: Iterable[Example],
    seen: Asked | None = None,
) -> str:
    """One sentence on the examples of a dataset that a search saw which made or chose a version, or
    the one that it comes from; "" if there are none. An example is the same if the version is asked
    the same, or where the search had not all columns that it reads, by what both hold.

    pair: ids of the version and of the one that it is compared with, if there is one; seen: what
    was read for other versions on these examples.
    """
    found = searches(store)
    if not found:
        return ""
    examples = list(dataset)
    known, asks = Descent(store, *pair[:2]), _Asks(store, pair[0], examples, seen)
    for id_, seed, splits in found:
        parts = [asks.met(part) for part in splits]
        met = sum(any(each.fingerprint in part for part in parts) for each in examples)
        relation = known.relation(id_, seed) if met else ""
        if relation:
            whom = label if relation == "itself" else f"what {label} is an edit of"
            return (
                f"The search {id_[:9]} made or chose {whom} on {met:,} of these"
                f" {count(len(examples), 'example')}, so its lead on them is not evidence."
            )
    return ""


def searched_prints(store: Store, pair: Sequence[str]) -> set[str]:
    """The fingerprints of all examples that such searches saw. pair: as above."""
    known = Descent(store, *pair[:2])
    found = [parts for id_, seed, parts in searches(store) if known.relation(id_, seed)]
    splits = {part for parts in found for part in parts}
    return {fingerprint for part in splits for _, fingerprint, _ in example_documents(store, part)}


def searched_beside(store: Store, study: str) -> Mapping[str, set[str]]:
    """Table -> keys of the rows by which another store knows what searches saw of a study's
    examples that made or chose one of its versions, or what that is an edit of: no more of them.
    """
    beside: dict[str, set[str]] = {}

    def keep(table: str, *keys: str) -> None:
        beside.setdefault(table, set()).update(keys)

    found = searches(store)
    versions, dataset = asked_by(store, study) if found else ([], "")
    examples = list(_examples(store, dataset)) if versions else []
    for version in versions:
        known, asks = Descent(store, version), _Asks(store, version, examples)
        for id_, seed, splits in found:
            met = {part: rows for part in splits if (rows := asks.met(part))}
            kin = known.kin(id_) if met else []
            if not kin:
                continue
            keep("optimizations", id_)
            keep("candidates", *(f"{id_} {each}" for each in kin))
            keep("versions", seed, *kin, *known.ancestors)
            for part, rows in met.items():
                prints = chain.from_iterable(rows.values())
                keep("examples", *(f"{part} {each}" for each in prints))
    return beside


class _Asks:
    """Which of some examples a version was asked in the datasets of a store, typed as it may be."""

    def __init__(
        self, store: Store, version: str, examples: Sequence[Example], seen: Asked | None = None
    ) -> None:
        found = load_version(store, version)
        self._reads, self._store, self._examples = reads_of(found), store, examples
        self._asked = [asked_alike(example, self._reads) for example in examples]
        names = found and (found.takes_history, *(each.name for each in found.variables))
        self._seen = {} if seen is None else seen.setdefault(names, {})
        own = {name for example in examples for name in example.inputs}
        self._columns = own.intersection(each.name for each in found.variables) if found else set()

    def met(self, dataset: str) -> Mapping[str, list[str]]:
        """Fingerprint of an example -> those of the same ones in the dataset."""
        rows, columns = self._of(dataset)
        found = {
            example.fingerprint: list(rows[asked])
            for example, asked in zip(self._examples, self._asked, strict=True)
            if asked in rows
        }
        if rows and not self._columns <= columns:  # renamed or new: it was not asked like this
            own = ExampleContents.of(self._examples)
            for one, other in own.matches(ExampleContents.kept(self._store, dataset)):
                found.setdefault(one, []).append(other)
        return found

    def _of(self, dataset: str) -> tuple[dict[object, list[str]], set[str]]:
        """What is asked -> the fingerprints of the examples by which it is; the columns."""
        if dataset not in self._seen:
            found: dict[object, list[str]] = {}
            columns: set[str] = set()
            for example in _examples(self._store, dataset):
                found.setdefault(asked_alike(example, self._reads), []).append(example.fingerprint)
                columns.update(example.inputs)
            self._seen[dataset] = found, columns
        return self._seen[dataset]


def _examples(store: Store, dataset: str) -> Iterator[Example]:
    for document, fingerprint, _ in example_documents(store, dataset):
        yield Example.from_document(json.loads(document), fingerprint)

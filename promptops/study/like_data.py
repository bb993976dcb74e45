"""Which datasets hold the same examples, whatever was added beside them or typed differently.

An example's fingerprint covers all its inputs, so that a further column, another name of a column
or a space makes every example a new one. What was tried before is counted by this looser rule as
well: a judgement counted too many makes a promotion harder, and one that is forgotten makes a lucky
promotion possible. Ids, splits, tags and golden answers do not take part.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

from .near_copies import folded
from .queries.kept_content import example_documents
from .queries.studies_of_versions import any_of_target, studies_by_dataset
from .records import load_version

if TYPE_CHECKING:
    from ..dataset import Example
    from ..store import Store

__all__ = ["ExampleContents", "perhaps_like_data", "places_read", "studies_of_like_data"]

_DISTINCT = 0.75  # of the rows: how many values tell the rows of a dataset apart
_SHARED = 0.5  # of the smaller dataset
_WORDS = re.compile(r"\A[\W\d_]*+[^\W\d_][^ ]*+ [\W\d_]*+[^\W\d_]|[^\x00-\x7f]{4}")
_HISTORY = "\0history"  # beside the columns
_MOST = 10_000  # pairs of datasets whose comparison a store remembers

_Prints = Mapping[object, Sequence[str]]  # what examples hold -> their fingerprints


@dataclass(slots=True)
class ExampleContents:
    """What a dataset's examples ask. rows: example's fingerprint -> column -> hash of its value,
    however that is typed; prose: column -> in how many rows it is text of several words.
    """

    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    prose: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, examples: Iterable[Example]) -> ExampleContents:
        """Those of a dataset that is at hand."""
        found = cls()
        for example in examples:
            found.add(example.fingerprint, example.inputs, example.history)
        return found

    @classmethod
    def kept(cls, store: Store, dataset: str) -> ExampleContents:
        """Those of a dataset that a store holds. dataset: its fingerprint."""
        found = cls()
        for text, fingerprint, _ in example_documents(store, dataset):
            document = json.loads(text)
            found.add(fingerprint, document.get("inputs") or {}, document.get("history"))
        return found

    def add(self, fingerprint: str, inputs: Mapping[str, object], history: object) -> None:
        """Count an example in, once."""
        if fingerprint in self.rows:
            return
        row = self.rows[fingerprint] = {}
        for name, value in {**inputs, _HISTORY: history or None}.items():
            if value is None:
                continue
            if isinstance(value, str):
                text = folded(value)
                self.prose[name] += _WORDS.search(text) is not None
            else:
                text = folded(json.dumps(value, sort_keys=True, default=str))
            row[name] = hash(text)

    def matches(
        self, other: ExampleContents, read: frozenset[str] = frozenset()
    ) -> list[tuple[str, str]]:
        """(own fingerprint, the other's) of the examples that are the same, () if the datasets are
        not: at least half of the smaller one has, in both, the same text in a column of texts, the
        same values in all columns of the same name, or the same values whatever their columns'
        names. What does not tell the rows of one dataset apart, such as a category, counts nothing.

        read: the columns that are asked, where they are known: all of them are the same then. Two
        questions on one document are two examples.
        """
        if read & self._columns() and read & other._columns():
            return self._met(self._prints(sorted(read), 0), other._prints(sorted(read), 0))
        shared = sorted(self._columns() & other._columns())
        found: list[tuple[str, str]] = []
        for one, two in (
            *product(self._texts(), other._texts()),
            (self._prints(shared), other._prints(shared)),
            (self._prints(), other._prints()),
        ):
            found += self._met(one, two)
        return found

    @staticmethod
    def _met(one: _Prints, two: _Prints) -> list[tuple[str, str]]:
        met = one.keys() & two.keys()
        if not met or len(met) < _SHARED * min(len(one), len(two)):
            return []
        return [(one[each][0], id_) for each in met for id_ in two[each]]

    def _columns(self) -> set[str]:
        return {name for row in self.rows.values() for name in row}

    def _texts(self) -> list[_Prints]:
        half = len(self.rows) / 2
        return [self._prints([name]) for name, count in self.prose.items() if count > half]

    def _prints(self, columns: Sequence[str] | None = None, distinct: float = _DISTINCT) -> _Prints:
        """What these columns hold -> the examples that hold it; nothing if that does not tell the
        examples apart. columns: None for all of them, without their names.
        """
        found: defaultdict[object, list[str]] = defaultdict(list)
        for fingerprint, row in self.rows.items():
            values = sorted(row.values()) if columns is None else map(row.get, columns)
            if any(held := tuple(values)):
                found[held].append(fingerprint)
        return found if len(found) >= distinct * len(self.rows) else {}


def studies_of_like_data(
    store: Store, dataset: str, versions: Sequence[str], asked: Iterable[Example] | None = None
) -> tuple[list[str], list[str]]:
    """(ids of the studies of these versions on other datasets that hold the same examples, those
    on this dataset).

    Args:
        store: the store that is looked through.
        dataset: fingerprint of the dataset at hand.
        versions: ids of the versions.
        asked: its examples, where the store does not hold them yet.
    """
    studies = studies_by_dataset(store, versions)
    own = studies.pop(dataset, [])
    contents: ExampleContents | None = None
    found: list[str] = []
    read = _read_by(store, versions) if studies else frozenset()
    known = store.like_datasets  # by both fingerprints and what is read
    for other, ids in studies.items():
        pair = (dataset, other, read)
        if pair not in known:
            if contents is None:
                contents = (
                    ExampleContents.kept(store, dataset)
                    if asked is None
                    else ExampleContents.of(asked)
                )
            beside = ExampleContents.kept(store, other)
            if not contents.rows or not beside.rows:  # purged, or not here yet
                continue
            if len(known) >= _MOST:
                known.clear()
            known[pair] = bool(contents.matches(beside, read))
        if known.get(pair):
            found += ids
    return found, own


def perhaps_like_data(
    store: Store, dataset: str, versions: Sequence[str], asked: Iterable[Example] | None = None
) -> Sequence[str]:
    """Those of the studies on like data whose examples may be others, since what the versions read
    is not known: a text that both hold may be a document, and the question beside it another.
    """
    if _read_by(store, versions):
        return ()
    return studies_of_like_data(store, dataset, versions, asked)[0]


def places_read(store: Store, versions: Sequence[str]) -> dict[str, list[str]]:
    """Version -> JSON pointers to what it reads of an example's document; a target may read
    anything, and has none.
    """
    found: dict[str, list[str]] = {}
    for id_ in versions:
        names = () if any_of_target(store, [id_]) else _variables(store, id_)
        found[id_] = [
            f"/inputs/{name.replace('~', '~0').replace('/', '~1')}" for name in sorted(names)
        ]
    return found


def _variables(store: Store, version: str) -> set[str]:
    found = load_version(store, version)
    return {variable.name for variable in found.variables} if found is not None else set()


def _read_by(store: Store, versions: Sequence[str]) -> frozenset[str]:
    """The columns that some versions read; empty where that is not known, as of a target."""
    found: set[str] = set()
    if any_of_target(store, versions):
        return frozenset()
    for version in [load_version(store, id_) for id_ in versions]:
        if version is None or not version.variables:
            return frozenset()
        found |= {variable.name for variable in version.variables}
        found |= {_HISTORY} if version.takes_history else set()
    return frozenset(found)

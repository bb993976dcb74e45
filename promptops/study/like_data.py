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
from .queries.studies_of_versions import studies_by_dataset

if TYPE_CHECKING:
    from ..dataset import Example
    from ..store import Store

__all__ = ["ExampleContents", "studies_of_like_data"]

_DISTINCT = 0.75  # of the rows: how many values tell the rows of a dataset apart
_SHARED = 0.5  # of the smaller dataset
_WORDS = re.compile(r"\A[\W\d_]*+[^\W\d_][^ ]*+ [\W\d_]*+[^\W\d_]|[^\x00-\x7f]{4}")
_HISTORY = "\0history"  # beside the columns
_MOST = 100_000  # pairs of datasets whose comparison is remembered
_compared: dict[tuple[str, str], bool] = {}  # by the fingerprints of both contents


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
            found._add(example.fingerprint, example.inputs, example.history)
        return found

    @classmethod
    def kept(cls, store: Store, dataset: str) -> ExampleContents:
        """Those of a dataset that a store holds. dataset: its fingerprint."""
        found = cls()
        for text, fingerprint, _ in example_documents(store, dataset):
            document = json.loads(text)
            found._add(fingerprint, document.get("inputs") or {}, document.get("history"))
        return found

    def _add(self, fingerprint: str, inputs: Mapping[str, object], history: object) -> None:
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

    def matches(self, other: ExampleContents) -> list[tuple[str, str]]:
        """(own fingerprint, the other's) of the examples that are the same, () if the datasets are
        not: at least half of the smaller one has, in both, the same text in a column of texts, the
        same values in all columns of the same name, or the same values whatever their columns'
        names. What does not tell the rows of one dataset apart, such as a category, counts nothing.
        """
        shared = sorted(self._columns() & other._columns())
        found: list[tuple[str, str]] = []
        for one, two in (
            *product(self._texts(), other._texts()),
            (self._prints(shared), other._prints(shared)),
            (self._prints(), other._prints()),
        ):
            met = one.keys() & two.keys()
            if met and len(met) >= _SHARED * min(len(one), len(two)):
                found += [(one[each][0], id_) for each in met for id_ in two[each]]
        return found

    def _columns(self) -> set[str]:
        return {name for row in self.rows.values() for name in row}

    def _texts(self) -> list[Mapping[object, Sequence[str]]]:
        half = len(self.rows) / 2
        return [self._prints([name]) for name, count in self.prose.items() if count > half]

    def _prints(self, columns: Sequence[str] | None = None) -> Mapping[object, Sequence[str]]:
        """What these columns hold -> the examples that hold it; nothing if that does not tell the
        examples apart. columns: None for all of them, without their names.
        """
        found: defaultdict[object, list[str]] = defaultdict(list)
        for fingerprint, row in self.rows.items():
            values = sorted(row.values()) if columns is None else map(row.get, columns)
            if any(held := tuple(values)):
                found[held].append(fingerprint)
        return found if len(found) >= _DISTINCT * len(self.rows) else {}


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
    for other, ids in studies.items():
        if (dataset, other) not in _compared:
            if contents is None:
                contents = (
                    ExampleContents.kept(store, dataset)
                    if asked is None
                    else ExampleContents.of(asked)
                )
            beside = ExampleContents.kept(store, other)
            if not contents.rows or not beside.rows:  # purged, or not here yet
                continue
            if len(_compared) >= _MOST:
                _compared.clear()
            _compared[dataset, other] = bool(contents.matches(beside))
        if _compared[dataset, other]:
            found += ids
    return found, own

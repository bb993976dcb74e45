"""Which examples of a dataset are one example for the versions that are compared.

Two examples are copies where every arm asks the same for both and the golden values that the
primary scorer reads are equal. Texts that differ only in how they are typed (`near_copies`) are
near-copies: they stay apart, but belong to one cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..canonical import canonical
from ..dataset import Example
from ..models.target import TargetModel
from ..version import PromptVersion
from .near_copies import folded
from .study_record import ScorerRef

if TYPE_CHECKING:
    from .design import StudyDesign

__all__ = [
    "ROWS",
    "Copies",
    "Reads",
    "ask_differently",
    "asked_alike",
    "copies_in_design",
    "copies_of",
    "golden_reads",
    "reads_of",
]

ROWS = "rows"  # weights: each row counts in the means

# What an arm or a scorer reads of an example.
Reads = Callable[[Example], object]


@dataclass(frozen=True, slots=True)
class Copies:
    """copies: id of a copy -> id of the first example that it repeats; clusters: example id ->
    cluster, copies and near-copies united with the declared ones, None if there are none;
    contradictory: how many inputs have golden answers that differ; rows: of the dataset;
    clustered_by: names of the earlier studies whose clusters stay in force.
    """

    copies: Mapping[str, str] = field(default_factory=dict)
    clusters: Mapping[str, str] | None = None
    contradictory: int = 0
    rows: int = 0
    clustered_by: tuple[str, ...] = ()

    def weighted(self, weights: str | None) -> Copies:
        """With "rows", each row counts in the means and its copies belong to one cluster, so that
        they are still no more evidence; else copies are one example.
        """
        return replace(self, copies={}) if weights == ROWS else self

    @property
    def distinct(self) -> int:
        """How many different examples there are."""
        return self.rows - len(self.copies)


def reads_of(version: PromptVersion | None, besides: str | None = None) -> Reads:
    """What an arm reads of an example: the values of the version's variables and the history.

    Args:
        version: None for answers that were made elsewhere or by a target, which read all inputs.
        besides: a column that is not an input, such as a count of how often the row is asked.
    """
    if version is None:
        return partial(_everything, besides=besides) if besides else _everything
    names = [variable.name for variable in version.variables]

    def values(example: Example) -> Any:
        found = [example.inputs.get(name) for name in names]
        return [*found, example.history] if version.takes_history and example.history else found

    return values


def golden_reads(names: Sequence[str]) -> Reads:
    """What the primary scorer reads of an example: the golden answer, its checks and these columns.

    names: columns beside the golden answer; "*" where a function sees the whole example.
    """
    columns = [name for name in names if name not in ("expected", "*")]

    def values(example: Example) -> Any:
        if "*" in names:
            return [example.inputs, example.expected, example.history, example.checks]
        return [example.expected, example.checks, [example.inputs.get(name) for name in columns]]

    return values


def ask_differently(examples: Iterable[Example], reads: Reads) -> bool:
    """Whether an arm asks two of the examples different questions; it looks no further than the
    first that differs.
    """
    first = None
    for example in examples:
        asked = _key(reads(example))
        if first is None:
            first = asked
        elif asked != first:
            return True
    return False


def asked_alike(example: Example, reads: Reads) -> object:
    """The same for two examples of which an arm is asked the same, typed as it may be."""
    return _folded(reads(example))


def copies_of(
    examples: Iterable[Example],
    arms: Sequence[Reads],
    golden: Reads,
    alike: Iterable[tuple[str, str]] = (),
) -> Copies:
    """The copies and near-copies among some examples.

    Args:
        examples: in the dataset's order.
        arms: what each arm reads of an example.
        golden: what the primary scorer reads of it.
        alike: pairs of ids of near-copies that are known to be so.
    """
    first: dict[Any, str] = {}
    asked: dict[object, set[object]] = {}
    near: dict[object, str] = {}
    copies: dict[str, str] = {}
    parents: dict[str, str] = {}
    declared: dict[str, str] = {}
    rows = 0
    for example in examples:
        rows += 1
        asks = [reads(example) for reads in arms]
        request = tuple(map(_key, asks))
        answer = _key(golden(example))
        representative = first.setdefault((request, answer), example.id)
        asked.setdefault(request, set()).add(answer)
        if representative != example.id:
            copies[example.id] = representative
        _unite(parents, near.setdefault(tuple(map(_folded, asks)), example.id), example.id)
        if example.cluster is not None:
            _unite(parents, declared.setdefault(example.cluster, example.id), example.id)
    for one, other in alike:
        _unite(parents, one, other)
    names = {_root(parents, id_): cluster for cluster, id_ in reversed(declared.items())}
    clusters = {
        id_: names.get(_root(parents, id_), f"near-copies of {_root(parents, id_)}")
        for id_ in parents
    }
    return Copies(
        copies,
        clusters or None,
        sum(len(answers) > 1 for answers in asked.values()),
        rows,
    )


def copies_in_design(design: StudyDesign) -> Copies:
    """The copies among a study's examples before anything is asked, for all of its arms."""
    reads = [
        reads_of(None if isinstance(arm.model, TargetModel) else arm.version) for arm in design.arms
    ]
    needs = ScorerRef.of(design.scorers[0]).needs if design.scorers else ()
    return copies_of(design.dataset, reads, golden_reads(needs))


def _everything(example: Example, besides: str | None = None) -> object:
    """All inputs; a row without any does not say what was asked, so it repeats no other."""
    inputs = {name: value for name, value in example.inputs.items() if name != besides}
    if not inputs and not example.history:
        return {"id": example.id}
    return [inputs, example.history] if example.history else inputs


def _key(value: object) -> Any:
    """A value that is equal where the JSON is: texts as they are, since most are."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    return canonical(_plain(value))


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _folded(value: object) -> object:
    """The same for two requests that differ only in how they are typed: each text by itself, so
    that what surrounds it in JSON does not hide its beginning and its end.
    """
    if isinstance(value, Mapping):
        return tuple((str(key), _folded(item)) for key, item in sorted(value.items(), key=_name))
    if isinstance(value, (list, tuple)):
        return tuple(map(_folded, value))
    return folded(value if isinstance(value, str) else canonical(value))


def _name(item: tuple[object, object]) -> str:
    return str(item[0])


def _root(parents: dict[str, str], id_: str) -> str:
    """The first example of its group; paths are shortened on the way."""
    while parents.get(id_, id_) != id_:
        parents[id_] = parents.get(parents[id_], parents[id_])
        id_ = parents[id_]
    return id_


def _unite(parents: dict[str, str], one: str, other: str) -> None:
    if one == other and one not in parents:
        return
    a, b = _root(parents, one), _root(parents, other)
    parents.setdefault(a, a)
    parents.setdefault(one, a)
    parents[b] = a
    parents.setdefault(other, a)

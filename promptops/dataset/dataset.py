"""A dataset: examples in order, each id once, with a fingerprint over their content and splits that
never move.

A dataset is a value: whatever selects or changes examples gives a new one. All that had to be
guessed at reading is in `notes`, and shown wherever the dataset is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ..errors import DatasetError
from ..signatures import explained_methods
from . import parts, showing, values, writing
from .build import checked
from .example import Example
from .origin import Origin
from .read_file import read_whole
from .roles import Named, RequestedRoles
from .task_datasets import joined

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Dataset"]


@explained_methods
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Dataset:
    """A sequence of examples, from a file or table (`Dataset.read`) or from code (`Dataset.of`).

    `dataset[3]` is an example, `dataset[10:20]` is a dataset, and `dataset["ticket"]` (or
    `dataset.ticket`) is a column as a list.

    Args:
        examples: the examples, in the order of the rows.
        name: the display name.
        notes: what was guessed or found while reading, one sentence each.
        roles: column -> what it is used for, as it was read.
        origin: the file that it was read from, or None if it was made in code.
    """

    examples: tuple[Example, ...]
    name: str = "dataset"
    notes: tuple[str, ...] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    origin: Origin | None = None
    _memo: dict[str, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        parts.check_examples(self.examples)

    @classmethod
    def read(
        cls,
        x: object,
        *,
        inputs: Mapping[str, str] | Sequence[str] | None = None,
        expected: Named = None,
        id: Named = None,
        tags: Named | Sequence[str] = None,
        cluster: Named = None,
        split: Named = None,
        name: str | None = None,
    ) -> Dataset:
        """Read examples from a path (JSONL, JSON, CSV, TSV, XLSX, Parquet), a pandas or polars
        DataFrame, an Arrow table, a Hugging Face dataset, a list of dicts, chat logs, or another
        Dataset.

        A column passed as `tags` or `cluster` is also an input.

        The corrections of a file (`NAME.corrections.jsonl` in the same folder, see
        `Study.correct`) are read with it. CSV cells are read as text and not converted (see
        `values_for`); JSON, XLSX and tables keep their types.

        Args:
            x: a path, a table, a list of dicts, or another Dataset.
            inputs: variable -> column, or a list of columns that keep their names; no other column
                is then an input. By default every column without another role is an input, or
                every field of a nested `inputs`.
            expected, id, tags, cluster, split: the column of each; None: detected by its usual
                name, with a note; False: none.
            name: the display name; None: the file's name.

        Raises:
            DatasetError: if the data cannot be read; the message names file, line and fault.
            MissingExtra: if a format needs the lab extra.
        """
        asked = RequestedRoles(inputs, expected, id, tags, cluster, split)
        if isinstance(x, Dataset):
            if asked.silent():
                return x if name is None else replace(x, name=name)
            name, x = name or x.name, [parts.unsplit(example) for example in x]
        found = read_whole(x, asked, name)
        return cls(found.examples, found.name, found.notes, found.roles, found.origin)

    @classmethod
    def of(cls, examples: Iterable[Example], *, name: str = "dataset") -> Dataset:
        """Make a dataset of examples built in code; examples without a split are assigned one.

        Args:
            examples: examples with unique ids.
            name: the display name.

        Raises:
            DatasetError: if an example is invalid; the message names it.
        """
        return cls(checked(examples), name)

    @classmethod
    def of_tasks(cls, tasks: Mapping[str, Dataset], *, name: str = "tasks") -> Dataset:
        """One dataset of several, for `comparison.tasks()` and `Policy(estimand="tasks")`: the id
        of an example becomes `task/id`, its only tag is its task, and its split is kept.

        Args:
            tasks: task -> its dataset; two or more.
            name: the display name.

        Raises:
            DatasetError: if there are fewer than two, one is empty, or two have the same examples.
        """
        examples, notes = joined(tasks)
        return cls(checked(examples), name, notes)

    @classmethod
    def recorded(
        cls,
        examples: Iterable[Example],
        *,
        name: str,
        fingerprint: str,
        origin: Origin | None = None,
    ) -> Dataset:
        """A dataset from a store, which was checked when it was recorded."""
        found = cls(tuple(examples), name, origin=origin)
        found._memo["fingerprint"] = fingerprint
        return found

    def write(self, path: str | Path) -> Path:
        """Write a file and return its path.

        A .jsonl or .parquet file reads back as an equal dataset. In a .csv file every value that is
        not text becomes JSON text, null and blank are the same, and no cell can be a formula.
        """
        return writing.write(self.examples, self.columns, Path(path))

    def __len__(self) -> int:
        return len(self.examples)

    def __iter__(self) -> Iterator[Example]:
        return iter(self.examples)

    @overload
    def __getitem__(self, key: int) -> Example: ...
    @overload
    def __getitem__(self, key: slice) -> Dataset: ...
    @overload
    def __getitem__(self, key: str) -> list[object]: ...
    def __getitem__(self, key: int | slice | str) -> Example | Dataset | list[object]:
        """An example by position, a dataset by slice, a column (None if absent) by name."""
        if isinstance(key, slice):
            return self._with(self.examples[key])
        if not isinstance(key, str):
            return self.examples[key]
        parts.checked_column(key, self.columns, self.name)
        return [parts.cell_of(example, key) for example in self.examples]

    def get(self, id: str) -> Example:
        """The example with this id. Raises DatasetError if it does not exist."""
        return self.examples[parts.position_of(id, self._index(), self.name)]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns: id, the inputs in order of first use, then the reserved columns in use."""
        if "columns" not in self._memo:
            self._memo["columns"] = parts.columns_of(self.examples)
        found: tuple[str, ...] = self._memo["columns"]
        return found

    @property
    def frame(self) -> DataFrame:
        """A pandas DataFrame of all columns, built on first access."""
        return showing.as_frame(self)

    @property
    def fingerprint(self) -> str:
        """`d1-` and 32 hex digits: a hash of ids, content and clusters, regardless of row order;
        splits and tags are not included.
        """
        if "fingerprint" not in self._memo:
            self._memo["fingerprint"] = parts.fingerprint_of(self.examples)
        return str(self._memo["fingerprint"])

    @property
    def tags(self) -> dict[str, tuple[str, ...]]:
        """Example id -> its tags, for the examples that have any."""
        return {example.id: example.tags for example in self.examples if example.tags}

    @property
    def clusters(self) -> dict[str, str] | None:
        """Example id -> its cluster, for the examples that have one; None if none does."""
        found = {one.id: one.cluster for one in self.examples if one.cluster is not None}
        return found or None

    # -- parts of it

    def split(self, name: str) -> Dataset:
        """The examples of a split: "train" (25 %), "val" (25 %) or "test" (50 %), by a hash."""
        return self._with(parts.in_split(self.examples, name))

    @property
    def train(self) -> Dataset:
        """The examples of the split "train"."""
        return self.split("train")

    @property
    def val(self) -> Dataset:
        """The examples of the split "val"."""
        return self.split("val")

    @property
    def test(self) -> Dataset:
        """The examples of the split "test"."""
        return self.split("test")

    def filter(self, keep: Callable[[Example], object]) -> Dataset:
        """The examples for which `keep(example)` is true."""
        return self._with(example for example in self.examples if keep(example))

    def where(self, **columns: object) -> Dataset:
        """The examples whose columns have the given values: `where(product="billing",
        tags=["angry", "legal"])`.

        A list, tuple or set matches any of its values, and a function is called with the value. A
        tag matches any of an example's tags. Raises DatasetError if no example has the column.
        """
        for name in columns:
            parts.checked_column(name, self.columns, self.name)
        return self._with(parts.matching(self.examples, columns))

    def sample(self, n: int, *, seed: int = 0) -> Dataset:
        """Draw `n` examples without replacement, in the dataset's order; the same seed draws the
        same examples regardless of row order.

        Args:
            n: the number of examples.
            seed: the seed of the draw.
        """
        return self._with(parts.sampled(self.examples, n, seed, self.name))

    def head(self, n: int = 5) -> Dataset:
        """The first `n` examples."""
        return self[: max(n, 0)]

    # -- what a version takes from it

    def values_for(self, version: values.Renders, example: Example) -> dict[str, object]:
        """The values that a version takes from an example: the inputs that it has variables for,
        and the history if the version takes one.

        Text is parsed as a number, boolean, object or list if the variable has that type and the
        text is valid for it; nothing else is converted. A null or missing input leaves the
        variable at its default.

        Args:
            version: the version to render.
            example: an example of this dataset.
        """
        return values.values_for(values.content(version), example)

    def check(self, version: values.Renders, *, some: bool = False) -> tuple[str, ...]:
        """Check that every example renders, before any call; returns the notes.

        Args:
            version: the version to render.
            some: accept a dataset of which only some examples render, and note the others.

        Raises:
            DatasetError: if one does not; the message names it, what it lacks and a likely column.
        """
        return values.check(self.examples, version, name=self.name, roles=self.roles, some=some)

    # -- a corrected one

    def with_example(self, example: Example) -> Dataset:
        """A copy in which this example replaces the one with its id, or is added at the end."""
        return self._put(self._index().get(example.id, len(self)), example)

    def replaced(self, id: str, /, **changes: object) -> Dataset:
        """A copy with fields of one example changed: `replaced("t-17", expected="refund")`.

        Args:
            id: the example's id.
            changes: field -> its new value.

        Raises:
            DatasetError: if there is no such example or field, or the new id is taken.
        """
        changed = parts.changed(self.get(id), changes)
        if changed.id != id and changed.id in self._index():
            raise DatasetError(
                f"the id {changed.id!r} belongs to another example of {self.name!r}; choose one"
                " that is free."
            )
        return self._put(self._index()[id], changed)

    # -- how it shows

    def __repr__(self) -> str:
        return showing.as_text(self)

    def _repr_html_(self) -> str:
        return showing.as_html(self)

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *(name for name in self.columns if name.isidentifier())]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.columns)

    def __getattr__(self, name: str) -> list[object]:
        """A column by its name, where the dataset has no attribute of that name."""
        if not name.startswith("_") and name not in type(self).__slots__ and name in self.columns:
            return self[name]
        raise AttributeError(f"a dataset has no attribute or column {name!r}.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dataset) and self.examples == other.examples

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def _with(self, examples: Iterable[Example]) -> Dataset:
        return Dataset(tuple(examples), self.name, self.notes, self.roles, self.origin)

    def _put(self, position: int, example: Example) -> Dataset:
        return self._with(
            [*self.examples[:position], *checked([example]), *self.examples[position + 1 :]]
        )

    def _index(self) -> dict[str, int]:
        if "index" not in self._memo:
            self._memo["index"] = {one.id: place for place, one in enumerate(self.examples)}
        found: dict[str, int] = self._memo["index"]
        return found

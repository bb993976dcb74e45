"""What a study file declares for `promptops optimize`: the seed, the data, the scorers and the
table `[optimize]`.

The same file may declare an evaluation: keys that only that one needs are read past.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import StudyError
from ..optimize.methods import method_with
from ..scorers.grammar import scorer_from
from .declared_shapes import check_shapes
from .study_file import ROLES, Declared, check_format, document_of, version_named

if TYPE_CHECKING:
    from ..lab import Lab
    from ..lab.optimization import Optimization
    from ..study.estimate import Estimate

__all__ = ["DeclaredSearch"]

_SEARCH = (
    *("budget_calls", "budget_tokens", "budget_usd", "budget_s"),
    *("goal", "seed", "concurrency", "context_tokens"),
)


@dataclass(frozen=True, slots=True)
class DeclaredSearch:
    """A search. where: the file's folder; version: the seed ("v1", or "env:prod"); columns: roles
    of the dataset's columns; search: options of `Lab.optimize`; method: its name; settings: of the
    method, as in k = 24.
    """

    where: Path
    prompt: str
    version: str
    dataset: str
    scorers: Sequence[Any]
    method: str = "few_shot"
    columns: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    format: int = 1

    @classmethod
    def read(cls, path: Path) -> DeclaredSearch:
        """The file's declaration. Raises StudyError, which names the key at fault."""
        document = document_of(path, "optimize")
        known = {one.name for one in fields(Declared)} - {"where"}
        unknown = sorted(set(document) - known)
        if unknown:
            raise StudyError(
                f"{path.name} has the key {unknown[0]!r}; its keys are {', '.join(sorted(known))}."
            )
        for key in ("prompt", "baseline", "dataset", "scorers", "optimize"):
            if not document.get(key):
                raise StudyError(
                    f"{path.name} lacks {key!r}; a search needs prompt, baseline (its seed),"
                    " dataset, scorers and the table [optimize]."
                )
        check_format(path, document)
        check_shapes(path, document)
        columns, table = document.get("columns", {}), dict(document["optimize"])
        if wrong := sorted(set(columns) - set(ROLES)):
            raise StudyError(
                f"{path.name}: [columns] has {wrong[0]!r}; it takes {', '.join(ROLES)}."
            )
        method = str(table.pop("method", "few_shot"))
        search = {name: table.pop(name) for name in _SEARCH if name in table}
        method_with(method, table)
        return cls(
            path.resolve().parent,
            str(document["prompt"]),
            str(document["baseline"]),
            str(document["dataset"]),
            document["scorers"],
            method,
            columns,
            search,
            table,
            document.get("format", 1),
        )

    def lab(self, start: Path, *, named: bool) -> Lab:
        """The project's lab, as `Declared.lab` finds it."""
        stand_in = Declared(self.where, self.prompt, "", self.version, self.dataset, self.scorers)
        return stand_in.lab(start, named=named)

    def run(self, lab: Lab) -> Optimization:
        """Search. What was answered before is not asked again."""
        version, data, scorers = self._parts(lab)
        method = method_with(self.method, self.settings)
        return lab.optimize(version, data, scorers, method=method, **self.search).wait()

    def estimate(self, lab: Lab) -> tuple[Estimate, str]:
        """What asking the seed every train and val row takes, and what the budget makes of it."""
        version, data, scorers = self._parts(lab)
        seen = data.filter(lambda example: example.split != "test")
        found = lab.estimate([version], seen, scorers)
        budget = ", ".join(f"{k} = {v}" for k, v in self.search.items() if k.startswith("budget"))
        return found, f"The search asks train and val alone, at most {budget or 'nothing'}."

    def _parts(self, lab: Lab) -> tuple[Any, Any, list[object]]:
        from ..lab import Dataset

        path = Path(self.dataset)
        data = Dataset.read(path if path.is_absolute() else self.where / path, **self.columns)
        version = version_named(lab, self.prompt, self.version)
        return version, data, [scorer_from(one, form=self.format) for one in self.scorers]

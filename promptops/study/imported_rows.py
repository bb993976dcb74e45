"""Outputs made elsewhere as rows of the store: runs whose ids are made from what they hold, and
their places in a study.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..canonical import tagged
from ..errors import StudyError
from ..failure_classes import FAILURES
from ..run import utc
from ..version import PromptVersion
from .import_table import failure_of

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..store import Store

__all__ = ["ImportedArm", "ImportedRows", "outputs_id"]

_CHUNK = 5_000  # rows written at a time
_KEPT = (
    *("model", "failure", "finish_reason", "tokens_in", "tokens_out", "cost_usd", "latency_ms"),
    "started_at",
)


def outputs_id(prompt: str, label: str) -> str:
    """The id in the place of the version of imported outputs whose prompt is not known."""
    return tagged("x1", [prompt, label])


@dataclass(frozen=True, slots=True)
class ImportedArm:
    """A label of the table; version, number: None if its prompt is not known."""

    label: str
    id: str
    version: PromptVersion | None
    number: int | None

    @property
    def model(self) -> str | None:
        """The model that its version names."""
        return self.version.model if self.version is not None else None


@dataclass(frozen=True, slots=True)
class ImportedRows:
    """A table's cells by column, and which (example id, repeat, label) each row is.

    failed: whether a missing output is a failure; a table of scores alone has none to keep.
    """

    cells: Mapping[str, Sequence[Any]]
    places: Sequence[tuple[str, int, str]]
    arms: Mapping[str, ImportedArm]
    prompt: str
    failed: bool = True
    began: str = field(default_factory=utc)

    def write(self, store: Store, study: str, dataset: Dataset) -> None:
        """Append the runs, and their places in the study."""
        ids = list({example for example, _, _ in self.places})
        kept = {example.id: example.fingerprint for example in dataset}
        prints = {id: kept[name] for id, name in zip(ids, store.identifiers(ids), strict=True)}
        for start in range(0, len(self.places), _CHUNK):
            runs, links = [], []
            for row in range(start, min(start + _CHUNK, len(self.places))):
                example, repeat, label = self.places[row]
                run = self._run(row, prints[example])
                runs.append(run)
                links.append(
                    {
                        "study_id": study,
                        "arm": label,
                        "version_id": self.arms[label].id,
                        "example_id": example,
                        "example_fingerprint": prints[example],
                        "repeat": repeat,
                        "run_id": run["id"],
                        "reused": False,
                    }
                )
            store.append("runs", runs)
            store.append("study_runs", links)

    def _run(self, row: int, fingerprint: str) -> dict[str, object]:
        def cell(name: str) -> Any:
            column = self.cells.get(name)
            return None if column is None else column[row]

        example, repeat, label = self.places[row]
        arm, output = self.arms[label], cell("output")
        text = None if output is None else str(output)
        failure = cell("failure") or failure_of(text)
        if failure is not None and failure not in FAILURES:
            raise StudyError(
                f"row {row} has the failure {failure!r}, which is not a failure class; the"
                f" classes are {', '.join(FAILURES)}."
            )
        kept = [cell(name) for name in _KEPT]  # all that is kept: other figures are another run
        columns = cell("columns") or ""
        body = f"{arm.id}\0{example}\0{fingerprint}\0{repeat}\0{text}\0{kept!r}{columns}"
        digest = hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
        return {
            "id": f"r-i{digest[:31]}",
            "key": f"i1:{digest[:32]}",
            "prompt": self.prompt,
            "version_id": arm.id,
            "model": str(cell("model") or arm.model or ""),
            "endpoint": "imported",
            "role": "imported",
            "example_id": example,
            "example_fingerprint": fingerprint,
            "repeat": repeat,
            "request": columns or "{}",
            "output": text,
            "finish_reason": cell("finish_reason"),
            "failure": None if failure == "internal" and not self.failed else failure,
            "tokens_in": _whole(cell("tokens_in")),
            "tokens_out": _whole(cell("tokens_out")),
            "cost_usd": cell("cost_usd"),
            "latency_ms": cell("latency_ms"),
            "attempts": 0,
            "started_at": cell("started_at") or self.began,
        }


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)

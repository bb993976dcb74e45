"""What a lab writes into its store and reads back: versions, datasets, studies, runs.

Written once each, found by id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from ..canonical import canonical
from ..dataset import Dataset, Example
from ..dataset.origin import Origin
from ..errors import StudyError
from ..run import Attempt, Run, utc
from ..version import PromptVersion
from .queries.kept_content import (
    dataset_head,
    example_count,
    example_documents,
    version_document,
)
from .queries.recorded_runs import latest_answers, runs_where
from .told_apart import told_apart

if TYPE_CHECKING:
    from ..engine.question import Provenance
    from ..store import Store
    from .study_record import StudyRecord

__all__ = [
    "find_runs",
    "keep_dataset",
    "keep_examples",
    "keep_runs",
    "keep_study",
    "keep_version",
    "known_runs",
    "load_dataset",
    "load_version",
    "row_of",
]

_FIELDS = {kind: (kind.__slots__, attrgetter(*kind.__slots__)) for kind in (Run, Attempt)}
_document = json.JSONEncoder(ensure_ascii=False).encode  # made once for all examples
_AT_ONCE = 2000  # examples written at once, so that a large dataset takes little memory


def row_of(value: Run | Attempt) -> dict[str, object]:
    """A run or attempt as a row of its table."""
    names, values = _FIELDS[type(value)]
    return dict(zip(names, values(value), strict=True))


def keep_runs(store: Store, runs: Sequence[Run], attempts: Sequence[Attempt]) -> None:
    """Record runs with their attempts in one write, all of them or none."""
    store.append_all(
        {
            "runs": [row_of(run) for run in runs],
            "attempts": [row_of(attempt) for attempt in attempts],
        }
    )
    store.remember_runs(runs)


def keep_version(
    store: Store,
    version: PromptVersion,
    *,
    prompt: str = "",
    label: str = "",
    note: str = "",
    parents: Sequence[str] = (),
    made_by: str | None = None,
) -> None:
    """Write a version under its prompt's name, once.

    parents: ids of the versions that it was made from; made_by: how, None if a person wrote it.
    """
    if not store.has("versions", version.id, prompt):
        document = canonical(version.document())
        store.append(
            "versions",
            [
                {
                    "id": version.id,
                    "prompt": prompt,
                    "display_name": label,
                    "note": note,
                    "document": document,
                    "parents": canonical(list(parents)),
                    "created_at": utc(),
                    "made_by": made_by,
                }
            ],
        )


def load_version(store: Store, id: str) -> PromptVersion | None:
    """The content of a version by its id; None if the store has none (outputs made
    elsewhere).
    """
    document = version_document(store, id)
    return None if document is None else PromptVersion.from_content(json.loads(document))


def keep_dataset(store: Store, dataset: Dataset, root: Path) -> bool:
    """Write a dataset's examples, once: a study can be scored and compared again when the file is
    gone. Those that were purged since are written again, or their clusters, tags and golden
    answers would be missing in every verdict on what is asked now. Returns whether any was written.

    root: the project's folder, from which the file that it was read from is named.
    """
    fingerprint = dataset.fingerprint
    if store.recalls("datasets", fingerprint):
        return False
    if store.has("datasets", fingerprint):
        missing = example_count(store, fingerprint) < len(dataset)
        if missing:
            keep_examples(store, dataset)
        return missing
    keep_examples(store, dataset)
    columns = json.dumps(list(dataset.columns), ensure_ascii=False)
    source = (
        dataset.origin.document(root, [example.id for example in dataset])
        if dataset.origin is not None
        else None
    )
    head = {
        "dataset_fingerprint": fingerprint,
        "name": dataset.name,
        "n_examples": len(dataset),
        "created_at": utc(),
        "columns": columns,
    }
    origin = None if source is None else json.dumps(source, ensure_ascii=False)
    store.append(
        "datasets",
        [{**head, "source": dataset.name if source is None else source["path"], "origin": origin}],
    )
    return True


def keep_examples(store: Store, dataset: Dataset) -> None:
    """Write the examples of a dataset alone: it is not among those that a study asked."""
    fingerprint, kept = dataset.fingerprint, told_apart(dataset, store)
    for start in range(0, len(dataset), _AT_ONCE):
        store.append(
            "examples",
            [
                {
                    "dataset_fingerprint": fingerprint,
                    "example_id": example.id,
                    "example_fingerprint": example.fingerprint,
                    "position": position,
                    "document": _document(kept[position].document()),
                }
                for position, example in enumerate(islice(dataset, start, start + _AT_ONCE), start)
            ],
        )


def load_dataset(store: Store, fingerprint: str, root: Path) -> Dataset:
    """The dataset of a fingerprint, as it was. root: the project's folder.

    Raises StudyError if the store has none.
    """
    head = dataset_head(store, fingerprint)
    if head is None:
        raise StudyError(
            f"the store holds no dataset {fingerprint[:12]}; read it from its file, and evaluate"
            " on it."
        )
    name, origin = head
    rows = example_documents(store, fingerprint)
    examples = [
        Example.from_document(json.loads(document), fingerprint)
        for document, fingerprint, _ in rows
    ]
    places = {example.id: place for example, (_, _, place) in zip(examples, rows, strict=True)}
    found = Origin.from_text(origin, root, places) if origin else None
    return Dataset.recorded(examples, name=name, fingerprint=fingerprint, origin=found)


def keep_study(store: Store, study: StudyRecord, author: str, where: Provenance | None) -> bool:
    """Write a study's record once; returns whether it is new.

    where: the cell and commit that started it; None for a study that no cell started.
    """
    if store.has("studies", study.id):
        return False
    row = {
        "id": study.id,
        "name": study.name,
        "prompt": study.prompt,
        "design": json.dumps(study.document(), ensure_ascii=False),
        "author": author,
        "cell_hash": where.cell_hash if where is not None else None,
        "git_commit": where.git_commit if where is not None else None,
        "created_at": utc(),
    }
    store.append("studies", [row])
    return True


def find_runs(store: Store, keys: Iterable[str]) -> dict[str, str]:
    """key -> id of the latest run that answered it (or failed by the model's own doing)."""
    wanted = list(keys)
    if not wanted or not store.has("runs"):
        return {}
    found = {key: run.id for key, run in _recent(store, wanted).items()}
    rest = [key for key in wanted if key not in found]
    store.look(now=False)
    if rest and not store.access.surely_lacks(rest):
        found |= latest_answers(store, rest)
    return found


def known_runs(store: Store, keys: Iterable[str]) -> dict[str, Run]:
    """As `find_runs`, the runs themselves: the answers that equal questions have already."""
    wanted = list(keys)
    if not wanted or not store.has("runs"):
        return {}
    found = _recent(store, wanted)
    ids = find_runs(store, [key for key in wanted if key not in found])
    if ids:
        runs = runs_where(
            store, "r.id in (select unnest(?))", [sorted(ids.values())], fresh="others"
        )
        found.update((run.key, run) for run in runs)
    return found


def _recent(store: Store, keys: Sequence[str]) -> dict[str, Run]:
    """Those that this process recorded a moment ago and that count as answers."""
    return {key: run for key, run in store.recent_runs(keys).items() if run.scorable}

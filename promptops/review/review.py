"""What a reviewer does with a study: correct a golden answer in the dataset's file, and ask the
gate before a promotion.

A correction is a diff that a team reads in a pull request; making it twice changes nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..dataset.correcting import correct as correction
from ..dataset.roles import RequestedRoles
from ..errors import DatasetError, Refused
from ..registry.asked import checked_percent, share_held
from ..study.promotion_basis import ask
from ..study.refusals import outgrown, spent

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..dataset.correcting import Correction
    from ..study.project import Project
    from ..study.recorded_study import RecordedStudy
    from ..study.saved import Saved

__all__ = ["correct", "dataset_file", "gate_says"]


def correct(
    study: RecordedStudy,
    example_id: str,
    expected: object,
    path: str | os.PathLike[str] | None = None,
    *,
    write: bool = True,
) -> Correction:
    """Write the golden answer of an example into the file that the dataset was read from, or only
    show what that would change.

    One value changes and every other byte stays. Where that cannot be (XLSX, Parquet, no column of
    golden answers), the answer goes into NAME.corrections.jsonl beside the file, which
    `Dataset.read` reads with it. path: another file of the project that holds the row. Raises
    DatasetError if the file is not in the project, or the row is not what was evaluated.
    """
    [example_id] = study.project.store.identifiers([example_id])
    root, data, corrected = study.project.root, _data(study), study.project.corrected
    example = data.get(example_id)
    target = (
        root / Path(path).expanduser()
        if path is not None
        else data.origin.path
        if data.origin is not None
        else None
    )
    if target is None:
        name = study.record.dataset.name
        raise DatasetError(
            f"the dataset {name!r} was not read from a file that is known here; name the file of"
            " the project that holds it (path=...), or write one: study.dataset.replaced(id,"
            " expected=...).write(path)."
        )
    roles = data.origin.roles.asked() if data.origin is not None else RequestedRoles()
    key = (data.fingerprint, example_id)
    mine = {example_id: corrected[key]} if key in corrected else {}
    made = correction(target, roles, example, expected, root=root, mine=mine)
    if write:
        made.write()
        corrected[key] = made.expected
    return made


def dataset_file(study: RecordedStudy) -> Path | None:
    """The file that a study's dataset was read from, if it is in the project; else None.

    No file is looked for by name.
    """
    origin, root = _data(study).origin, study.project.root.resolve()
    if origin is None or not origin.path.is_absolute():
        return None
    return (
        origin.path
        if origin.path.resolve().is_relative_to(root) and origin.path.is_file()
        else None
    )


def _data(study: RecordedStudy) -> Dataset:
    """The study's dataset; where this process evaluates it, as it was read last, though it may have
    moved since it was recorded.
    """
    running = study.running
    return running.dataset if running is not None else study.dataset


def gate_says(
    project: Project,
    version: Saved,
    env: str,
    study: RecordedStudy | None,
    *,
    override: str = "",
    percent: float | None = None,
) -> tuple[str, ...]:
    """Every point at which a promotion would be refused or change nothing now, each with its next
    step; empty if it would go ahead, and for what serves already. Changes nothing.
    """
    try:
        checked_percent(percent)
    except Refused as error:
        return (str(error),)
    serving = project.registry.serving(version.prompt, env)
    if serving is not None and serving.id == version.id:
        return ()
    if (
        percent is not None
        and serving is not None
        and serving.canary is not None
        and serving.canary.id == version.id
    ):
        word = override.strip()
        held = share_held(project.registry.history(version.prompt, env), percent, word)
        text = (
            spent(project, version, env, word),
            held,
            outgrown(project, version, env, percent, word),
        )
        return tuple(point for point in text if point) if serving.canary.percent != percent else ()
    asked = ask(project, version, env, study, word=override.strip(), percent=percent)
    step: dict[str, Any] = {
        "evidence": asked.request.evidence,
        "override": override,
        "percent": percent,
        "found": asked.found,
    }
    return project.registry.gate(version.prompt, version.number, env, **step)

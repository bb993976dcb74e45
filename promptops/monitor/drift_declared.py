"""What a monitor declares, built again where it runs: the version that serves, the scorers and the
examples as they were, or one sentence on why they are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from ..dataset import Dataset
from ..dataset.roles import Roles
from ..errors import DatasetError, StudyError
from ..registry.history import SavedEntry
from ..scorers.case import Scorer
from ..scorers.grammar import scorer_of
from ..study.design import as_dataset
from ..study.preflight import checked_scorers
from ..study.records import load_dataset
from .drift_file import MonitorFile

if TYPE_CHECKING:
    from ..study.project import Project

__all__ = [
    "check_same",
    "dataset_document",
    "declared_dataset",
    "declared_scorers",
    "moved",
    "scorers_of",
    "serving_entry",
]


def serving_entry(project: Project, prompt: str, env: str) -> SavedEntry:
    """The version that `env` serves. Raises StudyError if nothing serves."""
    serving = project.registry.serving(prompt, env)
    if serving is None:
        raise StudyError(f"{env} serves no version of {prompt}; promote one, and watch it then.")
    return next(each for each in project.registry.versions(prompt) if each.id == serving.id)


def moved(file: MonitorFile, entry: SavedEntry) -> str:
    """Why the anchor is not of what serves, with the next step; "" if it is."""
    if entry.id == file.declaration["version"]:
        return ""
    prompt, env = file.declaration["prompt"], file.declaration["env"]
    return (
        f"{env} serves v{entry.number} of {prompt}, and the anchor is of"
        f" v{file.declaration['number']}; run `promptops watch accept {prompt} --env {env} --reason"
        ' "..."` to watch what serves.'
    )


def scorers_of(scorers: Sequence[object]) -> list[Scorer]:
    """Scorers as given: texts of the catalogue, scorers, functions. Raises ScorerError."""
    listed = scorers if isinstance(scorers, (list, tuple)) else [scorers]
    if not listed:
        raise StudyError("a monitor needs a scorer; pass scorers=[...].")
    return checked_scorers([scorer_of(s) if isinstance(s, str) else s for s in listed])


def declared_scorers(file: MonitorFile, scorers: Sequence[object] | None) -> list[Scorer]:
    """The scorers of a monitor. Raises StudyError for one that cannot be built here."""
    given = {(s.name, s.version): s for s in (scorers_of(scorers) if scorers else ())}
    found = []
    for series in file.series:
        scorer = given.get((series.scorer, series.version))
        if scorer is None and series.text is not None:
            scorer = scorer_of(series.text)
        if scorer is None:
            raise StudyError(
                f"the scorer {series.scorer} of {file.name} exists in Python only; run this monitor"
                " with lab.watch(..., scorers=[...]).run(), or declare it as a text."
            )
        if scorer.version != series.version:
            raise StudyError(
                f"{series.scorer} judges differently in this release ({scorer.version},"
                " anchored with"
                f" {series.version}); accept a new anchor with `promptops watch accept`."
            )
        found.append(scorer)
    return found


def dataset_document(project: Project, data: Dataset) -> dict[str, object]:
    """What the monitor's file says of its examples: enough to find them again."""
    splits = {example.split for example in data}
    origin = data.origin.document(project.root, []) if data.origin is not None else None
    return {
        "name": data.name,
        "fingerprint": data.fingerprint,
        "n": len(data),
        "path": origin["path"] if origin is not None and not origin["outside"] else None,
        "roles": origin["roles"] if origin is not None else None,
        "split": splits.pop() if len(splits) == 1 else None,
    }


def declared_dataset(project: Project, file: MonitorFile, given: object) -> Dataset:
    """The monitor's examples: as given, from the store, or from their file.

    Raises StudyError if none of these has them as they were.
    """
    declared = file.declaration["dataset"]
    wanted = declared["fingerprint"]
    if given is not None:
        data = as_dataset(given, project.store, project.root)
        if data.fingerprint == wanted:
            return data
    try:
        return load_dataset(project.store, wanted, project.root)
    except StudyError:
        pass
    if declared["path"] is not None:
        try:
            roles = Roles.from_document(declared["roles"]).asked()
            data = Dataset.read(str(project.root / declared["path"]), **asdict(roles))
        except (DatasetError, KeyError, TypeError, AttributeError) as error:
            raise StudyError(f"the probe of {file.name} cannot be read: {error}") from None
        for part in (data, data.split(declared["split"]) if declared["split"] else data):
            if part.fingerprint == wanted:
                return part
    raise StudyError(
        f"the {declared['n']:,} examples of {file.name} ({declared['name']}) are neither in the"
        f" store nor in {declared['path'] or 'a file of the project'} as they were; accept a new"
        " anchor on those that there are."
    )


def check_same(file: MonitorFile, data: Dataset, judges: Sequence[Scorer]) -> None:
    """Raises StudyError if a monitor's file declares something else."""
    known = [(series.scorer, series.version) for series in file.series]
    asked = [(judge.name, judge.version) for judge in judges]
    prompt, env = file.declaration["prompt"], file.declaration["env"]
    if known != asked or file.declaration["dataset"]["fingerprint"] != data.fingerprint:
        raise StudyError(
            f"{file.name} is watched already, on {file.declaration['dataset']['name']} by"
            f" {', '.join(name for name, _ in known)}; remove"
            f" promptops.monitors/{prompt}.{env}.json to watch it on something else."
        )

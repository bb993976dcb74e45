"""What was imported, recorded in a project: versions in the registry, runs with their scores as a
study. Imported twice, everything is there once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..dataset import Dataset
from ..errors import PromptOpsError, RegistryError, VersionError
from ..scorers import checks
from ..scorers.case import Scorer
from ..study.import_runs import import_runs
from ..study.imported_rows import outputs_id
from .imported import Imported, ImportedVersion, Left
from .recorded_scores import recorded_scorers

if TYPE_CHECKING:
    from ..study.project import Project
    from ..study.recorded_study import RecordedStudy

__all__ = ["BroughtIn", "bring_in"]


@dataclass(frozen=True, slots=True)
class BroughtIn:
    """saved: (version as the file had it, its number in the registry); study: None without runs."""

    found: Imported
    saved: tuple[tuple[ImportedVersion, int], ...]
    dataset: Dataset | None
    scorers: tuple[Scorer, ...]
    study: RecordedStudy | None
    notes: tuple[str, ...]


def bring_in(project: Project, found: Imported, prompt: str | None = None) -> BroughtIn:
    """Save the versions, and record the runs as a study.

    Args:
        project: where to.
        found: what was imported.
        prompt: the prompt's name, in place of the one that the file suggests.

    Returns:
        What is there now. A prompt that holds a key is among what is left, if others came with it.

    Raises:
        RegistryError: a prompt's name is not allowed, or one is given for several prompts.
        VersionError: the only prompt, or one whose runs are imported too, holds a key.
        StudyError: two runs of one version, example and repeat.
    """
    names = list(dict.fromkeys(entry.prompt for entry in found.versions))
    if prompt is not None and len(names) > 1:
        raise RegistryError(
            f"{found.name} holds the prompts {', '.join(names[:5])}, and one name, {prompt!r}, is"
            " given for them; import it without a name."
        )
    saved, deployed, left = [], list[str](), list[Left]()
    for entry in found.versions:
        name = prompt or entry.prompt
        note = entry.note or f"imported from {found.form} ({entry.label})"
        try:
            number = project.registry.save(name, entry.version, note, project.author)
        except VersionError as error:
            if found.runs or len(found.versions) == 1:
                raise
            what = f"{entry.label} of {name}"
            left.append(Left(found.name, None, what, str(error).rstrip(".")))
            continue
        saved.append((entry, number))
        deployed += _deployed(project, name, number, entry, found.form)
    if left:
        kept = tuple(entry for entry, _ in saved)
        found = replace(found, versions=kept, left=(*found.left, *left))
    data = found.dataset
    scorers: list[Scorer] = []
    if any(example.checks for example in found.examples):
        scorers.append(checks())
    study = None
    if found.runs and data is not None:
        study, recorded = _study(project, found, data, prompt)
        scorers = [*recorded, *scorers]
    notes = (found.summary(), *found.notes, *deployed, *map(str, found.left))
    return BroughtIn(found, tuple(saved), data, tuple(scorers), study, notes)


def _deployed(
    project: Project, name: str, number: int, entry: ImportedVersion, form: str
) -> list[str]:
    """Serve a version where the other tool served it, marked as imported; one sentence each. What
    serves there already stays.
    """
    out = []
    for env in entry.environments:
        now = project.registry.serving(name, env)
        if now is not None:
            if now.number != number:
                out.append(
                    f"{env} of {name} serves {now.label} already; {entry.label} is not put there."
                )
            continue
        reason = f"imported: {form} served {entry.label} as {env}; nothing here judged it"
        try:
            project.registry.promote(
                name, number, env, author=project.author, reason=reason, force=True
            )
        except PromptOpsError as error:
            out.append(f"{name} does not serve in {env}: {error}")
        else:
            out.append(
                f"{name} v{number} serves in {env}, marked as imported: nothing here judged it."
            )
    return out


def _study(
    project: Project, found: Imported, data: Dataset, prompt: str | None
) -> tuple[RecordedStudy, Sequence[Scorer]]:
    name = prompt or next((entry.prompt for entry in found.versions), found.name)
    known = {entry.label: entry.version for entry in found.versions}
    known = {label: known[label] for label in found.labels if label in known}
    if len({version.id for version in known.values()}) < len(known):
        known = {}  # two labels of one content stay two arms
    ids = {
        label: known[label].id if label in known else outputs_id(name, label)
        for label in found.labels
    }
    scorers = recorded_scorers(found, ids)
    study = import_runs(
        project,
        [_row(run) for run in found.runs],
        data,
        scorers,
        sample="repeat",
        versions=known or None,
        prompt=name,
    )
    return study, scorers


def _row(run: Any) -> dict[str, object]:
    return {
        "example_id": run.example,
        "version": run.version,
        "output": run.output,
        "repeat": run.repeat,
        "model": run.model or None,
        "tokens_in": run.tokens_in,
        "tokens_out": run.tokens_out,
        "cost_usd": run.cost_usd,
        "latency_ms": run.latency_ms,
        "finish_reason": run.finish_reason,
        "failure": run.failure,
        "started_at": run.started_at or None,
    }

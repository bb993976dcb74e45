"""What a study is before it runs: its arms, examples, scorers and repeats, named by their content.

The same design is the same study: running the cell again finishes it, and pays for nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..dataset import Dataset
from ..errors import NothingToCompare, StudyError
from ..models.protocol import Model
from ..scorers.case import Scorer
from ..version import PromptVersion
from .asking_order import order
from .resolve_model import ModelResolver, as_target
from .score_study import Place
from .study_record import ArmRecord, DatasetRef, ScorerRef, StudyRecord
from .told_apart import told_apart

if TYPE_CHECKING:
    from pathlib import Path

    from ..registry.history import SavedEntry
    from ..registry.registry_record import RegistryRecord
    from ..store import Store

__all__ = [
    "ArmDesign",
    "Place",
    "StudyDesign",
    "as_dataset",
    "as_version",
    "check_repeats",
    "design",
    "split_of",
    "versions_apart",
]


@dataclass(frozen=True, slots=True)
class ArmDesign:
    """One version as one model answers it."""

    label: str
    version: PromptVersion
    model: Model
    prompt: str = ""
    number: int | None = None

    @property
    def id(self) -> str:
        return self.version.id


@dataclass(frozen=True, slots=True)
class StudyDesign:
    """id: `s1-` and 32 hex digits over arms, endpoints, dataset, scorers, repeats (the content of
    images, where there are some as files; and `salt`, where answers are to be fresh).
    """

    id: str
    name: str
    prompt: str
    arms: tuple[ArmDesign, ...]
    dataset: Dataset
    scorers: tuple[Scorer, ...]
    repeats: int
    fresh: bool = False
    since: str = ""  # a judge's verdicts from before this moment are not used again
    root: Path | None = None  # images that are files are read below it
    role: str = ""  # as in StudyRecord

    def at(self, root: Path) -> StudyDesign:
        """The same in a project's folder."""
        return replace(self, root=root)

    @property
    def planned(self) -> int:
        """Runs in all."""
        return len(self.arms) * len(self.dataset) * self.repeats

    def record(self) -> StudyRecord:
        """What the store keeps of the design; it brings the study back after a restart."""
        return StudyRecord(
            self.id,
            self.name,
            self.prompt,
            tuple(
                ArmRecord(
                    arm.id, arm.label, arm.version.model, arm.model.label, arm.prompt, arm.number
                )
                for arm in self.arms
            ),
            DatasetRef(self.dataset.fingerprint, self.dataset.name, len(self.dataset)),
            tuple(ScorerRef.of(scorer) for scorer in self.scorers),
            self.repeats,
            split_of(self.dataset),
            role=self.role,
        )

    def places(self) -> Iterator[Place]:
        """Every run to be made, in the study's shuffled order, arms interleaved, so that latency
        compares like with like.
        """
        places = {example.id: index for index, example in enumerate(self.dataset)}
        shuffled = [places[example] for example in order(self.id, list(places))]
        for repeat in range(self.repeats):
            for index in shuffled:
                for arm in range(len(self.arms)):
                    yield arm, index, repeat


def design(
    versions: Sequence[object],
    dataset: Dataset,
    scorers: Sequence[Scorer],
    *,
    answerers: ModelResolver,
    models: Sequence[str] | None = None,
    target: Callable[..., object] | None = None,
    repeats: int = 1,
) -> StudyDesign:
    """The design of a study; `with_identity` gives it its id.

    Raises StudyError or SetupError before anything is asked.
    """
    if not versions:
        raise StudyError("a study needs at least one version; pass evaluate([v1, v2], ...).")
    check_repeats(repeats)
    if not len(dataset):
        raise StudyError(f"the dataset {dataset.name!r} is empty; give it at least one example.")
    arms = list(_arms(versions, answerers, models, target))
    seen = {(arm.id, arm.model.label) for arm in arms}
    if len(seen) < len(arms):
        raise StudyError(
            "the study holds the same version twice; v.noise(dataset, scorers) asks a version"
            " against itself."
        )
    _distinct_labels(arms)
    prompts = {arm.prompt for arm in arms if arm.prompt}
    return StudyDesign(
        "",
        "",
        prompts.pop() if len(prompts) == 1 else "",
        tuple(arms),
        dataset,
        tuple(scorers),
        repeats,
    )


def _arms(
    versions: Sequence[object],
    answerers: ModelResolver,
    models: Sequence[str] | None,
    target: Callable[..., object] | None,
) -> Iterator[ArmDesign]:
    """Every version on every model, or on its own."""
    several = len(models or ()) > 1
    for value in versions:
        version, prompt, number, label = as_version(value)
        for model in models or (None,):
            asked = version.on(model) if model is not None else version
            who = as_target(target) if target is not None else answerers.of(asked.model, asked.api)
            shown = f"{label} · {model}" if several else label
            yield ArmDesign(shown, asked, who, prompt, number)


def check_repeats(repeats: object) -> None:
    """Raises StudyError for anything but a whole number from 1."""
    if not isinstance(repeats, int) or isinstance(repeats, bool) or repeats < 1:
        raise StudyError(
            f"repeats is {repeats!r}; expected a whole number, at least 1, as in repeats=3."
        )


def as_version(value: object) -> tuple[PromptVersion, str, int | None, str]:
    """(content, prompt name, number, label) of a saved or served version, or of a scratch
    content.
    """
    if isinstance(value, PromptVersion):
        return value, "", None, value.id[3:11]
    content = getattr(value, "version", None)
    if isinstance(content, PromptVersion):  # a saved or a served version
        number = getattr(value, "number", None)
        prompt = getattr(value, "prompt", None) or getattr(value, "name", None) or ""
        return content, str(prompt), number, f"v{number}" if number else content.id[3:11]
    raise StudyError(
        f"{value!r} is not a version; pass what prompt.save(...) returned, or a PromptVersion."
    )


def versions_apart(registry: RegistryRecord, candidate: object, baseline: object) -> dict[str, str]:
    """id -> label of a candidate and of its baseline, in this order. baseline: None for what prod
    serves.

    Raises:
        StudyError: both are the same, or nothing serves in prod and no baseline is named.
    """
    content, prompt, _, label = as_version(candidate)
    named = baseline is not None
    if not named:
        baseline = _serving_version(registry, prompt)
        if baseline is None:
            raise StudyError(
                f"{prompt or label} serves nothing in prod yet that {label} could be compared with;"
                " name the baseline."
            )
    other, _, _, other_label = as_version(baseline)
    if other.id == content.id:
        raise NothingToCompare(
            f"{label} cannot be compared with itself{'' if named else ', and prod serves it'}; name"
            " another version as the baseline."
        )
    return {content.id: label, other.id: other_label}


def _serving_version(registry: RegistryRecord, prompt: str) -> SavedEntry | None:
    """The saved version that prod serves, or None."""
    serving = registry.serving(prompt, "prod") if prompt in registry.names() else None
    if serving is None:
        return None
    return next((saved for saved in registry.versions(prompt) if saved.id == serving.id), None)


def as_dataset(value: object, store: Store, root: Path) -> Dataset:
    """A Dataset, its ids as they are recorded; else whatever `Dataset.read` reads, paths also from
    the project's root.
    """
    if isinstance(value, Dataset):
        return told_apart(value, store)
    if isinstance(value, str):
        from pathlib import Path

        if not Path(value).exists() and (root / value).exists():
            value = root / value
    return told_apart(Dataset.read(value), store)


def _distinct_labels(arms: list[ArmDesign]) -> None:
    labels = [arm.label for arm in arms]
    for index, arm in enumerate(arms):
        if labels.count(arm.label) > 1:
            arms[index] = replace(
                arm,
                label=(
                    f"{arm.prompt + ' ' if arm.prompt else ''}{arm.label}"
                    f" ({arm.version.model or arm.id[3:9]})"
                ),
            )


def split_of(dataset: Dataset) -> str | None:
    """The one split that all examples are of; None if they have none or several."""
    found = {example.split for example in dataset}
    return found.pop() if len(found) == 1 else None

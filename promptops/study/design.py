"""What a study is before it runs: its arms, examples, scorers and repeats, named by their content.

The same design is the same study: running the cell again finishes it, and pays for nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..canonical import tagged
from ..dataset import Dataset, Example
from ..dataset.values import values_for
from ..engine.sweep import Question
from ..errors import RenderError, SetupError, StudyError
from ..models.protocol import Call, Model
from ..models.recorded import RecordedModel
from ..models.target import TargetModel
from ..run import reuse_key
from ..scorers.case import Scorer
from ..version import PromptVersion
from ..version.request_forms import to_form
from .asking_order import order
from .images import embedded, files_in, holds_images
from .resolve_model import ModelResolver, as_target
from .score_study import Place
from .study_record import ArmRecord, DatasetRef, ScorerRef, StudyRecord

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "ArmDesign",
    "Place",
    "StudyDesign",
    "as_dataset",
    "as_version",
    "ask",
    "check_repeats",
    "design",
    "images_of",
    "question",
    "question_of",
    "with_identity",
    "split_of",
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
    versions: Sequence[Any],
    dataset: Dataset,
    scorers: Sequence[Scorer],
    *,
    answerers: ModelResolver,
    models: Sequence[str] | None = None,
    target: Callable[..., Any] | None = None,
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
    arms: list[ArmDesign] = []
    for value in versions:
        version, prompt, number, label = as_version(value)
        for model in models or (None,):
            asked = version.on(model) if model is not None else version
            who = as_target(target) if target is not None else answerers.of(asked.model, asked.api)
            arms.append(
                ArmDesign(
                    f"{label} · {model}" if model is not None and len(models or ()) > 1 else label,
                    asked,
                    who,
                    prompt,
                    number,
                )
            )
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


def check_repeats(repeats: Any) -> None:
    """Raises StudyError for anything but a whole number from 1."""
    if not isinstance(repeats, int) or isinstance(repeats, bool) or repeats < 1:
        raise StudyError(
            f"repeats is {repeats!r}; expected a whole number, at least 1, as in repeats=3."
        )


def with_identity(plan: StudyDesign, name: str | None, salt: str = "") -> StudyDesign:
    """The design with the id that its content gives, and a name for people."""
    identity = dict(plan.record().document().items())
    for arm in identity["arms"]:
        del arm["label"], arm["number"]
    # What a study says beside its content leaves it the study that release 0.1 named.
    identity.pop("primary", None)
    for scorer in identity["scorers"]:
        scorer.pop("needs", None)
    seen = images_of(plan)
    study = tagged("s1", {**identity, "salt": salt, **({"images": seen} if seen else {})})
    return replace(
        plan, id=study, name=name or f"{plan.prompt or 'study'}-{study[3:9]}", fresh=bool(salt)
    )


def question(plan: StudyDesign, place: Place, key: str = "") -> Question:
    """The call that a place asks; `key` where it is known. As `question_of`."""
    return question_of(
        plan.arms[place[0]], plan.dataset[place[1]], place[2], key=key, root=plan.root
    )


def question_of(
    arm: ArmDesign,
    example: Example,
    repeat: int,
    *,
    role: str = "",
    key: str = "",
    root: Path | None = None,
) -> Question:
    """The call that asks an arm per example. An example that does not render is a question that is
    not sent.

    Raises SetupError for an image that cannot be read.
    """
    try:
        values = values_for(arm.version, example)
        return ask(arm, example, values, repeat, role=role, key=key, root=root)
    except RenderError as error:
        return _unrendered(arm, example, repeat, str(error), key)
    except SetupError as error:
        raise SetupError(f"example {example.id!r}: {error}") from None


def _unrendered(arm: ArmDesign, example: Example, repeat: int, why: str, key: str) -> Question:
    """A question without a request: there are no messages to name it by, so its key is of the
    example's content.
    """
    return Question(
        call=Call({}, arm.version, arm.prompt, {}, example.id, repeat),
        model=arm.model,
        key=key or reuse_key(arm.id, ["unrendered", example.fingerprint], arm.model.label, repeat),
        prompt=arm.prompt,
        version_id=arm.id,
        model_name=arm.version.model or "",
        example_id=example.id,
        example_fingerprint=example.fingerprint,
        unrendered=why,
    )


def ask(
    arm: ArmDesign,
    example: Example | None,
    values: Mapping[str, Any],
    repeat: int,
    *,
    role: str = "",
    key: str = "",
    root: Path | None = None,
) -> Question:
    """One question to an arm's model, with its reuse key (worked out where `key` is not given).
    root: images that are files are read below it; None: they stay paths. Raises RenderError, and
    SetupError for an image that cannot be read.
    """
    target = isinstance(arm.model, TargetModel)
    if target and example is not None:
        values = dict(example.inputs)
        chat: dict[str, Any] = {}
    else:
        chat = arm.version.chat_request(arm.version.render(values))
    inputs: Any = values if target else chat["messages"]
    if (
        root is not None and not target and not isinstance(arm.model, RecordedModel)
    ):  # a recording is sent nothing
        chat["messages"], inputs = embedded(inputs, root)
    if isinstance(arm.model, RecordedModel):  # a recording answers for an example, not for a text
        inputs = [example.id if example else None, inputs]
    return Question(
        call=Call(
            to_form(arm.version.api, chat) if chat else chat,
            arm.version,
            arm.prompt,
            values,
            example.id if example else None,
            repeat,
            neutral=chat,
        ),
        model=arm.model,
        key=key or reuse_key(arm.id, inputs, arm.model.label, repeat),
        prompt=arm.prompt,
        version_id=arm.id,
        model_name=arm.version.model or "",
        example_id=example.id if example else None,
        example_fingerprint=example.fingerprint if example else None,
        role=role or ("target" if target else "model"),
    )


def images_of(plan: StudyDesign) -> list[list[str]]:
    """(arm's version, example's id, what the images of its question are) of each question that has
    an image in a file, in order.

    Raises SetupError with how many cannot be sent, the first of them and what is wrong with its
    file.
    """
    seen, failed, first = [], 0, ""
    for arm in plan.arms:
        if isinstance(arm.model, (TargetModel, RecordedModel)) or plan.root is None:
            continue
        everywhere = holds_images(arm.version.template)
        for example in plan.dataset if everywhere or arm.version.takes_history else ():
            if not everywhere and not holds_images(example.history):
                continue
            try:
                messages = arm.version.render(plan.dataset.values_for(arm.version, example))
                seen += [[arm.id, example.id, name] for name in files_in(messages, plan.root)]
            except RenderError:
                continue
            except SetupError as error:
                failed, first = failed + 1, first or f"{example.id!r}: {error}"
    if failed:
        raise SetupError(
            f"{failed:,} of {len(plan.dataset):,} examples have an image that cannot be sent; the"
            f" first is {first}"
        )
    return seen


def as_version(value: Any) -> tuple[PromptVersion, str, int | None, str]:
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


def as_dataset(value: Any, root: Path | None = None) -> Dataset:
    """A Dataset as it is; else whatever `Dataset.read` reads, paths also from the project's
    root.
    """
    if isinstance(value, Dataset):
        return value
    if isinstance(value, str) and root is not None:
        from pathlib import Path

        if not Path(value).exists() and (root / value).exists():
            value = root / value
    return Dataset.read(value)


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
    """The one split that all examples are of; None where there is none or several."""
    found = {example.split for example in dataset}
    return found.pop() if len(found) == 1 else None

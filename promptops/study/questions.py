"""A design as questions: one for each version, example and repeat, with what identifies it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..canonical import tagged, written
from ..dataset import Example
from ..dataset.values import values_for
from ..engine.sweep import Question
from ..errors import RenderError, SetupError
from ..models.protocol import Call
from ..models.recorded import RecordedModel
from ..models.target import TargetModel
from ..run import reuse_key
from ..version.request_forms import to_form
from .images import embedded, files_in, holds_images
from .score_study import Place

if TYPE_CHECKING:
    from pathlib import Path
from .design import ArmDesign, StudyDesign

__all__ = ["ask", "images_of", "question", "question_of", "with_identity"]


def with_identity(design: StudyDesign, name: str | None, salt: str = "") -> StudyDesign:
    """The design with the id that its content gives, and a name for people."""
    identity = dict(design.record().document().items())
    for arm in identity["arms"]:
        del arm["label"], arm["number"]
    # What a study says beside its content leaves it the study that release 0.1 named.
    identity.pop("primary", None)
    for scorer in identity["scorers"]:
        scorer.pop("needs", None)
    seen = images_of(design)
    study = tagged("s1", {**identity, "salt": salt, **({"images": seen} if seen else {})})
    return replace(
        design, id=study, name=name or f"{design.prompt or 'study'}-{study[3:9]}", fresh=bool(salt)
    )


def question(design: StudyDesign, place: Place, key: str = "") -> Question:
    """The call that a place asks; `key` where it is known. As `question_of`."""
    return question_of(
        design.arms[place[0]], design.dataset[place[1]], place[2], key=key, root=design.root
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
    values: Mapping[str, object],
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
    target, recorded = isinstance(arm.model, TargetModel), isinstance(arm.model, RecordedModel)
    if target and example is not None:
        values = dict(example.inputs)
        chat: dict[str, Any] = {}
    else:
        chat = arm.version.chat_request(arm.version.render(values))
    inputs: Any = values if target else chat["messages"]
    if root is not None and not target and not recorded:  # a recording is sent nothing
        chat["messages"], inputs = embedded(inputs, root)
    messages = None
    if recorded:  # a recording answers for an example, not for a text
        inputs = [example.id if example else None, inputs]
    elif not key and not target and arm.version.api == "chat" and inputs is chat["messages"]:
        inputs = messages = written(inputs)  # the run's row says them, too
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
        messages=messages,
    )


def images_of(design: StudyDesign) -> list[list[str]]:
    """(arm's version, example's id, what the images of its question are) of each question that has
    an image in a file, in order.

    Raises SetupError with how many cannot be sent, the first of them and what is wrong with its
    file.
    """
    seen, failed, first = [], 0, ""
    for arm in design.arms:
        if isinstance(arm.model, (TargetModel, RecordedModel)) or design.root is None:
            continue
        everywhere = holds_images(arm.version.template)
        for example in design.dataset if everywhere or arm.version.takes_history else ():
            if not everywhere and not holds_images(example.history):
                continue
            try:
                messages = arm.version.render(design.dataset.values_for(arm.version, example))
                seen += [[arm.id, example.id, name] for name in files_in(messages, design.root)]
            except RenderError:
                continue
            except SetupError as error:
                failed, first = failed + 1, first or f"{example.id!r}: {error}"
    if failed:
        raise SetupError(
            f"{failed:,} of {len(design.dataset):,} examples have an image that cannot be sent; the"
            f" first is {first}"
        )
    return seen

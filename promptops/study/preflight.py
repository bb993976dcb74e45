"""Everything about a study that can be known before a call is made is reported before a call is
made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ..dataset.example import RESERVED
from ..engine.prices import check_money
from ..engine.response_format import unchecked
from ..engine.scorer_needs import check_needs
from ..errors import SetupError, StudyError
from ..models.target import TargetModel
from ..models.unasked import UnaskedModel
from ..scorers import Scorer, as_scorer
from ..scorers.rule import Rule
from .copies import ask_differently, reads_of
from .design import StudyDesign
from .questions import images_of, question
from .shown_examples import shown_statement
from .shown_golden import shown_golden

if TYPE_CHECKING:
    from ..dataset import Dataset, Example

__all__ = ["check_design", "check_texts", "checked_scorers"]

# rules that match the whole answer with one golden value
_MATCHES = ("equals", "exact", "choice", "number_close", "json_equals", "classified")


def checked_scorers(scorers: Sequence[object] | object) -> list[Scorer]:
    """Scorers as scorers, functions as scorers of their own. Raises ScorerError."""
    listed = scorers if isinstance(scorers, (list, tuple)) else [scorers]
    return [as_scorer(scorer) for scorer in listed]


def check_design(
    drawn: StudyDesign,
    *,
    budget_usd: float | None = None,
    prices: Mapping[str, object] | None = None,
) -> list[str]:
    """Sentences to warn with: some examples that do not render are one, where none does the study
    cannot work.

    Raises DatasetError, ScorerError or SetupError then, and for whatever else makes it pointless to
    begin.
    """
    _no_golden_input(drawn)
    wording: list[str] = [*_all_equal(drawn), *shown_golden(drawn)]
    images_of(drawn)
    for index, arm in enumerate(drawn.arms):
        if isinstance(arm.model, TargetModel):
            arm.model.check({"values": dict(drawn.dataset[0].inputs)})
            if (opaque := arm.model.opaque) and opaque not in wording:
                wording.append(opaque)
            continue
        wording += drawn.dataset.check(arm.version, some=True)
        wording += filter(None, [shown_statement(arm.label, arm.version, drawn.dataset)])
        request = next(
            asked.call.chat
            for place in range(len(drawn.dataset))
            if not (asked := question(drawn, (index, place, 0))).unrendered
        )
        if not isinstance(arm.model, UnaskedModel):
            arm.model.check(request)
        wording += [
            f"answers of {arm.label} are not compared with {schema}."
            for schema in unchecked(request)
        ]
    if budget_usd is not None:
        check_money({arm.version.model or "" for arm in drawn.arms if arm.model.remote}, prices)
    return [
        *wording,
        *check_needs(drawn.scorers, drawn.dataset),
        *check_texts(drawn.scorers, drawn.dataset),
    ]


def _no_golden_input(drawn: StudyDesign) -> None:
    """Raises StudyError if a version renders the column that the primary is matched against."""
    first = drawn.scorers[0] if drawn.scorers else None
    if first is None or str(getattr(first, "spec", "")).partition("(")[0] not in _MATCHES:
        return
    for arm in drawn.arms:
        shown = sorted({variable.name for variable in arm.version.variables} & set(first.needs))
        if shown and not isinstance(arm.model, TargetModel):
            raise StudyError(
                f"{arm.label} reads {{{{{shown[0]}}}}}, the column that {first.name} matches the"
                " answer against: the model is shown the golden answer; take it out of the prompt,"
                " or name another scorer first."
            )


def _all_equal(drawn: StudyDesign) -> Iterator[str]:
    """A sentence for each version that asks the same for every example."""
    columns = sorted({name for example in drawn.dataset for name in example.inputs})
    for arm in drawn.arms:
        if len(drawn.dataset) < 2:
            continue
        if isinstance(arm.model, TargetModel):
            given = [_bound(arm.model, example) for example in drawn.dataset]
            if given[0] is not None and all(each == given[0] for each in given):
                yield (
                    f"All {len(drawn.dataset):,} examples give {arm.label} the same values: they"
                    " count as one. Name its parameters like the columns that differ."
                )
            continue
        read = [variable.name for variable in arm.version.variables]
        if read or arm.version.takes_history:
            if ask_differently(drawn.dataset, reads_of(arm.version)):
                continue
            why = f"the columns that it reads ({', '.join(read) or 'history'}) never differ"
        else:
            why = f"it reads none of the dataset's columns ({', '.join(columns)})"
        yield (
            f"All {len(drawn.dataset):,} requests of {arm.label} are equal, since {why}: they count"
            " as one example. Write {{" + (columns[0] if columns else "column") + "}} where the"
            " value of a column belongs."
        )


def _bound(model: TargetModel, example: Example) -> object:
    """What a target is given of an example; None if it cannot be called with it."""
    try:
        return model.bind(example.inputs)
    except SetupError:  # this row fails by itself
        return None


def check_texts(scorers: Sequence[Scorer], dataset: Dataset) -> list[str]:
    """A sentence for each scorer whose fixed text is also a column of the dataset: both readings,
    and how the column is written.
    """
    texts = [
        (scorer.name, *text)
        for scorer in scorers
        if isinstance(scorer, Rule)
        for text in scorer.texts
    ]
    columns = (
        {name for name in dataset.columns if name not in RESERVED or name == "expected"}
        if texts
        else set()
    )
    return [
        f"{name} holds answers against the very word {text!r}, and the dataset has a column"
        f" {text!r}; write {column} where each row's value of that column is meant."
        for name, text, column in texts
        if text in columns
    ]

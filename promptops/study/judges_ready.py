"""Whether the judges of a study can be asked, before its answers are paid for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..engine.prices import check_money
from ..errors import SetupError
from ..models.unasked import UnaskedModel
from ..scorers import Scorer
from ..scorers.rule import Rule
from .ask import in_the_form_of
from .design import ArmDesign
from .questions import ask

if TYPE_CHECKING:
    from ..version import PromptVersion
    from .project import Project

__all__ = ["check_judges"]


def check_judges(project: Project, scorers: Sequence[Scorer], budget_usd: float | None) -> None:
    """Raises SetupError, naming the scorer, if a judge has no model, key or request form, or no
    price where the budget is money.
    """
    for scorer in scorers:
        for version in dict.fromkeys(scorer.judges) if isinstance(scorer, Rule) else ():
            try:
                _check(project, version, budget_usd)
            except SetupError as error:
                raise SetupError(f"{scorer.name} cannot judge: {error}") from error


def _check(project: Project, version: PromptVersion, budget_usd: float | None) -> None:
    name = version.model
    if name is None:
        raise SetupError('it names no model; pass judge=, as in rubric(..., judge="gpt-4o").')
    version = in_the_form_of(version, project.models)
    arm = ArmDesign("judge", version, project.model(name, version.api), "")
    if isinstance(arm.model, UnaskedModel):
        return  # offline: what is recorded is enough
    shown = {variable.name: "-" for variable in version.variables}
    arm.model.check(ask(arm, None, shown, 0, role="judge").call.chat)
    if budget_usd is not None and arm.model.remote:
        check_money([name], project.prices)

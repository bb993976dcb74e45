"""What is fixed before looking: split, primary, policy, repeats; frozen into the store before any
run is made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..canonical import tagged
from ..errors import StudyError
from ..markup import paragraph, plain_repr
from ..policy import Policy, by_former_names
from ..run import utc
from .queries.plans import frozen_at
from .records import keep_dataset

if TYPE_CHECKING:
    from ..dataset import Dataset
    from .project import Project

__all__ = ["Needs", "Plan", "freeze"]


@dataclass(frozen=True, slots=True)
class Needs:
    """What it takes to find a true gain of `effect` with this power, where a share `disagree` of
    the pairs differ (0/1 scores, exact).

    examples: of them, `have` are planned already; calls: for `arms` versions; cost_usd: (low,
    high), None if a price is unknown (`unpriced` names the models) or no version was given.
    """

    effect: float
    disagree: float
    power: float
    examples: int
    have: int
    arms: int
    calls: int
    cost_usd: tuple[float, float] | None
    unpriced: tuple[str, ...] = ()

    @plain_repr
    def __repr__(self) -> str:
        from ..analysis import words

        enough = (
            "which the plan has" if self.have >= self.examples else f"the plan has {self.have:,}"
        )
        money = f", {words.money_between(*self.cost_usd)}" if self.cost_usd else ""
        if self.unpriced:
            money = f", at an unknown cost (no price for {', '.join(self.unpriced)})"
        return (
            f"<Needs: a true gain of {words.points(self.effect).lstrip('+')} where"
            f" {words.percent(self.disagree, 0)} of the pairs differ is found"
            f" {words.percent(self.power, 0)} of the time with"
            f" {words.count(self.examples, 'example')} ({enough}):"
            f" {words.count(self.calls, 'call')}{money}>"
        )

    def _repr_html_(self) -> str:
        return paragraph(self)


class Plan:
    """id: `q1-` and the digest of what is fixed; document: that, JSON-ready; created: when it was
    frozen.
    """

    def __init__(
        self,
        project: Project,
        id: str,
        document: dict[str, Any],
        dataset: Dataset,
        scorers: Sequence[Any],
        created: str,
    ) -> None:
        self._project, self._dataset, self._scorers = project, dataset, tuple(scorers)
        self.id, self.document, self.created = id, document, created

    @property
    def policy(self) -> Policy:
        return Policy.from_document(self.document["policy"])

    @property
    def examples(self) -> int:
        return len(self._dataset)

    def follow(
        self, dataset: Dataset, scorers: Sequence[Any], repeats: int
    ) -> tuple[Dataset, Sequence[object], int]:
        """The planned rows, scorers and repeats.

        Raises StudyError if the study asks for something else.
        """
        if not self._holds(dataset):
            raise StudyError(
                f"the plan {self.id[:9]} is for the dataset {self.document['name']!r} as it was"
                " then; this one has other content: plan again."
            )
        if (
            scorers
            and [scorer.name for scorer in map(_as_scorer, scorers)] != self.document["scorers"]
        ):
            raise StudyError(
                f"the plan {self.id[:9]} fixes the scorers {', '.join(self.document['scorers'])};"
                " leave scorers out, or plan again."
            )
        if repeats not in (1, self.document["repeats"]):
            raise StudyError(
                f"the plan {self.id[:9]} fixes {self.document['repeats']} repeats, not {repeats};"
                " leave repeats out, or plan again."
            )
        return self._dataset, self._scorers, int(self.document["repeats"])

    def _holds(self, dataset: Dataset) -> bool:
        """Whether these are the planned rows, or all the rows of which they are the split."""
        planned, split = self.document["dataset"], self.document["split"]
        if dataset.fingerprint in (planned, self.document["whole"]):
            return True
        return split is not None and dataset.split(split).fingerprint == planned

    def examples_for(self, effect: float, *, disagree: float, power: float = 0.8) -> int:
        """How many examples find a true gain of `effect` with this power, where `disagree` of the
        pairs differ (0/1 scores; exact).
        """
        from ..analysis.power import n_binary

        return int(
            n_binary(
                (disagree + effect) / 2,
                (disagree - effect) / 2,
                alpha=self.policy.alpha,
                power=power,
            )
            or 0
        )

    def needs(
        self, effect: float, *, disagree: float, versions: Sequence[Any] = (), power: float = 0.8
    ) -> Needs:
        """Examples, calls and cost to find a true gain of `effect`; `versions` are those to be
        asked, for calls and cost.

        disagree: share of the pairs that differ, from a pilot on other rows (A against A, or on the
        train split), never from the split that will be judged on. Exact, not the normal
        approximation. Raises StatisticsError if effect exceeds disagree.
        """
        n = self.examples_for(effect, disagree=disagree, power=power)
        arms, repeats = max(len(versions), 2), int(self.document["repeats"])
        cost: tuple[float, float] | None = None
        unpriced: tuple[str, ...] = ()
        if versions:
            from .estimate import estimate
            from .evaluate import EvaluateOptions, draw

            # The price of every call, known or not.
            options = EvaluateOptions(plan=self, fresh=True)
            drawn = draw(self._project, versions, self._dataset, (), options)
            whole = estimate(self._project, drawn, None)
            unpriced = whole.unpriced
            if whole.cost_usd is not None and whole.calls:
                cost = (
                    whole.cost_usd[0] * n / self.examples,
                    whole.cost_usd[1] * n / self.examples,
                )
        return Needs(
            effect, disagree, power, n, self.examples, arms, arms * n * repeats, cost, unpriced
        )

    @plain_repr
    def __repr__(self) -> str:
        doc = self.document
        split = f"split {doc['split']!r}" if doc["split"] else "all rows"
        finals = f", {len(doc['finalists'])} finalists" if doc.get("finalists") else ""
        return (
            f"<Plan {self.id[:9]} for {doc['prompt']}: {split} of {doc['name']} ({self.examples:,}"
            f" examples x {doc['repeats']}), primary {doc['scorers'][0]}, goal"
            f" {self.policy.goal}{finals}. {' '.join(self.in_force)}>"
        )

    @property
    def in_force(self) -> tuple[str, ...]:
        """What a promotion on it will need: how alpha is shared, and what was tried before."""
        from .in_force import planned_in_force

        finalists = len(self.document.get("finalists") or ())
        return planned_in_force(self._project, self.document, self._dataset, finalists)

    def _repr_html_(self) -> str:
        return paragraph(self)


def _as_scorer(scorer: Any) -> Any:
    from ..scorers import as_scorer

    return as_scorer(scorer)


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """What a plan fixes beside its dataset and scorers. policy: the prompt's own if None; split:
    the one to evaluate, all rows if None; finalists: the versions that may be promoted on it.
    """

    policy: Policy | Mapping[str, object] | None = None
    repeats: int = 1
    split: str | None = None
    finalists: Sequence[object] = ()


def freeze(
    project: Project, prompt: str, dataset: Dataset, scorers: Sequence[Any], terms: PlanTerms
) -> Plan:
    """See Lab.plan. Freezing the same plan again is the same plan."""
    from .design import as_version, check_repeats
    from .preflight import checked_scorers

    check_repeats(terms.repeats)
    checked = checked_scorers(scorers)
    if not checked:
        raise StudyError("a plan fixes the primary scorer; name at least one.")
    policy, split = terms.policy, terms.split
    chosen = Policy.of(policy) if policy is not None else project.registry.policy(prompt)
    rows = dataset.split(split) if split is not None else dataset
    if not len(rows):
        raise StudyError(
            f"the split {split!r} of {dataset.name!r} is empty; plan on more examples, or pass"
            " split=None for all rows."
        )
    document: dict[str, Any] = {
        "prompt": prompt,
        "name": dataset.name,
        "whole": dataset.fingerprint,
        "dataset": rows.fingerprint,
        "split": split,
        "scorers": [scorer.name for scorer in checked],
        "editions": [scorer.version for scorer in checked],
        "policy": replace(chosen, primary=chosen.primary or checked[0].name).document(),
        "repeats": terms.repeats,
    }
    if terms.finalists:
        document["finalists"] = [as_version(version)[0].id for version in terms.finalists]
    id_ = _plan_id(document)
    created = frozen_at(project.store, id_)
    if not created:
        created = utc()
        keep_dataset(project.store, rows, project.root)
        text = json.dumps(document, ensure_ascii=False)
        row = {"id": id_, "prompt": prompt, "document": text, "created_at": created}
        project.store.append("plans", [row])
    return Plan(project, id_, document, rows, checked, created)


def _plan_id(document: Mapping[str, Any]) -> str:
    """The form q1 has a policy by its names of format 1: the same plan keeps its id, and with it
    the id of the study that follows it.
    """
    return tagged("q1", {**document, "policy": by_former_names(document["policy"])})

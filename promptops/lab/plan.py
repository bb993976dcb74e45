"""What is fixed before looking: split, primary, policy, repeats; frozen into the store before any run is made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..canonical import tagged
from ..errors import StudyError
from ..policy import Policy
from ..run import utc
from .keeping import keep_dataset

if TYPE_CHECKING:
    from ..dataset import Dataset
    from .lab import Lab

__all__ = ["Plan", "freeze"]


class Plan:
    """id: `q1-` and the digest of what is fixed; document: that, JSON-ready; created: when it was frozen."""

    def __init__(self, lab: Lab, id: str, document: dict[str, Any], dataset: Dataset, scorers: Sequence[Any], created: str) -> None:
        self._lab, self._dataset, self._scorers = lab, dataset, tuple(scorers)
        self.id, self.document, self.created = id, document, created

    @property
    def policy(self) -> Policy:
        return Policy.from_document(self.document["policy"])

    @property
    def examples(self) -> int:
        return len(self._dataset)

    def follow(self, dataset: Dataset, scorers: Sequence[Any], repeats: int) -> tuple[Dataset, Sequence[Any], int]:
        """The planned rows, scorers and repeats. Raises StudyError where the study asks for something else."""
        if dataset.fingerprint not in (self.document["dataset"], self.document["whole"]):
            raise StudyError(
                f"the plan {self.id[:9]} is for the dataset {self.document['name']!r} as it was then; this one has other content: plan anew."
            )
        if scorers and [scorer.name for scorer in map(_as_scorer, scorers)] != self.document["scorers"]:
            raise StudyError(
                f"the plan {self.id[:9]} fixes the scorers {', '.join(self.document['scorers'])}; leave scorers out, or plan anew."
            )
        if repeats not in (1, self.document["repeats"]):
            raise StudyError(
                f"the plan {self.id[:9]} fixes {self.document['repeats']} repeats, not {repeats}; leave repeats out, or plan anew."
            )
        return self._dataset, self._scorers, int(self.document["repeats"])

    def examples_for(self, effect: float, *, disagree: float, power: float = 0.8) -> int:
        """How many examples find a true gain of `effect` with this power, where `disagree` of the pairs differ (0/1 scores; exact)."""
        from ..analysis.power import n_binary

        return int(n_binary((disagree + effect) / 2, (disagree - effect) / 2, alpha=self.policy.alpha, power=power) or 0)

    def __repr__(self) -> str:
        doc = self.document
        split = f"split {doc['split']!r}" if doc["split"] else "all rows"
        return f"<Plan {self.id[:9]} for {doc['prompt']}: {split} of {doc['name']} ({self.examples:,} examples x {doc['repeats']}), primary {doc['scorers'][0]}, goal {self.policy.goal}>"


def _as_scorer(scorer: Any) -> Any:
    from ..scorers import as_scorer

    return as_scorer(scorer)


def freeze(lab: Lab, prompt: str, dataset: Dataset, scorers: Sequence[Any], *, policy: Any, repeats: int, split: str | None) -> Plan:
    """See Lab.plan. Freezing the same plan again is the same plan."""
    from .checking import checked_scorers

    checked = checked_scorers(scorers)
    if not checked:
        raise StudyError("a plan fixes the primary scorer; name at least one.")
    chosen = policy if isinstance(policy, Policy) else Policy.from_document(policy) if policy else lab._registry.policy(prompt)
    rows = dataset.split(split) if split is not None else dataset
    document = {
        "prompt": prompt,
        "name": dataset.name,
        "whole": dataset.fingerprint,
        "dataset": rows.fingerprint,
        "split": split,
        "scorers": [scorer.name for scorer in checked],
        "editions": [scorer.version for scorer in checked],
        "policy": replace(chosen, primary=chosen.primary or checked[0].name).document(),
        "repeats": repeats,
    }
    id_ = tagged("q1", document)
    found = lab.store.rows("select created_at from plans where id = ? limit 1", [id_])
    created = str(found[0][0]) if found else utc()
    if not found:
        keep_dataset(lab.store, rows)
        lab.store.append(
            "plans", [{"id": id_, "prompt": prompt, "document": json.dumps(document, ensure_ascii=False), "created_at": created}]
        )
    return Plan(lab, id_, document, rows, checked, created)

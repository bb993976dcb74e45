"""Stopping early without cheating: batches of a shuffled order, a look at each batch's end, and
e-values that hold at every look.

The order is drawn from the study's id, so it is fixed before anything is asked; only whole batches
from its beginning count, so that what happens to finish first decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..analysis.arms import part
from ..analysis.constant_answer import scorer_of
from ..analysis.tried import Tried
from ..errors import PromptOpsError
from ..policy import Policy
from .asking_order import order
from .copies import copies_in_design
from .judgements import pooled, tried_before
from .queries.study_events import last_event, started_with
from .stored_arms import arms_of
from .study_record import ScorerRef

if TYPE_CHECKING:
    from ..analysis.arms import Arm
    from ..analysis.compare import ComparisonContext, ComparisonFacts
    from ..store import Store
    from .design import StudyDesign

__all__ = ["LOOKED", "EarlyStop", "early", "looked_at"]

LOOKED = "looked at after every batch"  # detail of the event "started" of such a study

_LEAST, _LOOKS = 16, 20  # examples of a batch, looks at most


class EarlyStop:
    """Looks at a study in batches. baseline: the version that the others must beat; policy: what
    settles it; grounds: those of a pair whose earlier answers are pooled, as `pooled_grounds`.
    """

    def __init__(
        self,
        design: StudyDesign,
        store: Store,
        policy: Policy,
        baseline: str,
        grounds: Callable[..., ComparisonContext],
    ) -> None:
        self._design, self._store, self._policy, self._baseline = design, store, policy, baseline
        self._pooled_grounds = grounds
        size = max(_LEAST, -(-len(design.dataset) // _LOOKS))
        places = {example.id: index for index, example in enumerate(design.dataset)}
        self._ids = order(design.id, list(places))
        self.batches = [
            [places[example] for example in self._ids[start : start + size]]
            for start in range(0, len(self._ids), size)
        ]
        self._seen = 0
        self._same = copies_in_design(design)

    def _tried(self, candidate: str) -> Tried:
        record = self._design.record()
        primary = self._policy.primary or record.primary
        return tried_before(self._store, record, (candidate, self._baseline), primary)

    def look(self) -> str | None:
        """After a batch: what the event "settled" says, JSON, where the e-values settle every
        candidate's verdict; else None.
        """
        self._seen += len(self.batches[self._looks])
        self._looks += 1
        # most studies go to their end, and do without the statistics while they run
        from ..analysis.compare import ComparisonContext

        chosen = set(self._ids[: self._seen])
        sources = [(self._design.id, arm.id, arm.label) for arm in self._design.arms]
        scorers = [ScorerRef.of(scorer) for scorer in self._design.scorers]
        try:
            arms = {
                arm.version: part(arm, chosen) for arm in arms_of(self._store, sources, scorers)
            }
            kept = {self._same.copies.get(example, example) for example in chosen}
            grounds = ComparisonContext(
                planned=len(kept), clusters=self._same.clusters, copies=self._same.copies
            )
            baseline = arms.pop(self._baseline)
            if not self._settled(baseline, list(arms.values()), grounds):
                return None
        except PromptOpsError:  # nothing to compare yet: nobody was scored
            return None
        if self._seen >= len(self._ids):
            return None  # all are in: `looked_at` tells that the e-value decides then, too
        total = len(self._ids)
        saved = (total - self._seen) * len(self._design.arms) * self._design.repeats
        return json.dumps(
            {"examples": self._seen, "of": total, "looks": self._looks, "saved": saved}
        )

    _looks = 0

    def _settled(self, baseline: Arm, arms: Sequence[Arm], grounds: ComparisonContext) -> bool:
        """Whether the verdict of every candidate is settled: by what is in, and where a pair was
        judged before by all its answers too, since the beginning of another order of the same rows
        adds no evidence.
        """
        from ..analysis.compare import compare
        from ..analysis.finalists import decide_many

        def settled(found: Sequence[ComparisonFacts]) -> bool:
            decisions = [each.decision for each in decide_many(found, self._policy, peeking=True)]
            return "promote" in decisions or all(each == "reject" for each in decisions)

        primary = self._policy.primary
        tried = {arm.version: self._tried(arm.version) for arm in arms}
        pairs = [(arm, replace(grounds, tried=tried[arm.version])) for arm in arms]
        if not settled([compare(arm, baseline, grounds=at, primary=primary) for arm, at in pairs]):
            return False
        if all(each.times == 1 for each in tried.values()):
            return True
        record, every = self._design.record(), []
        name = primary or record.primary
        for arm, at in pairs:
            both = (arm, baseline)
            if at.tried.times > 1:
                by, held = scorer_of(name, both, at.labels) or name, self._design.dataset
                both = pooled(self._store, record, held, both, by, at.tried, at.labels)
                at = self._pooled_grounds(at, both, by)
            every.append(compare(*both, grounds=at, primary=primary))
        return settled(every)


def early(store: Store, study: str) -> dict[str, Any] | None:
    """{"examples", "of", "looks", "saved"} of a study that its e-value ended early; None for any
    other.
    """
    last = last_event(store, study)
    found: dict[str, Any] | None = (
        json.loads(last[1]) if last is not None and last[0] == "settled" else None
    )
    return found


def looked_at(store: Store, study: str) -> bool:
    """Whether a study was looked at after every batch: alpha is spent once, so that the e-value
    decides at the end, too.
    """
    return started_with(store, study, LOOKED)

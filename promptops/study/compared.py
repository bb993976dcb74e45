"""What a comparison of recorded arms came to, with the policy that applies to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from ..analysis.compare import ComparisonFacts
from ..analysis.decide import decide
from ..analysis.finalists import decide_many
from ..analysis.verdict import Verdict
from ..policy import Policy

__all__ = ["Compared"]


@dataclass(slots=True)
class Compared:
    """The facts of two arms, and how the policy is applied to them.

    peeking: they were looked at before all planned examples were in, so that only e-values decide;
    early: why they ended before that, one sentence, else ""; rivals: the other finalists of a plan
    against the same baseline; looked: counts what the split has served, given the verdict.
    """

    facts: ComparisonFacts
    policy: Policy
    peeking: bool = False
    early: str = ""
    rivals: Callable[[], Sequence[ComparisonFacts]] | None = None
    looked: Callable[[Verdict], None] | None = None

    def decide(
        self,
        policy: Policy | Mapping[str, object] | None = None,
        *,
        withdrawn: Collection[str] = (),
    ) -> Verdict:
        """What a policy (default: the one that applies) makes of the facts.

        Several finalists of a plan are judged together (Holm), and one is promoted at most.
        withdrawn: versions that are preferred to none, since they were rolled back.
        """
        chosen = self.policy if policy is None else Policy.of(policy)
        others = list(self.rivals()) if self.rivals is not None else []
        if others:
            found = [self.facts, *others]
            return decide_many(found, chosen, peeking=self.peeking, withdrawn=withdrawn)[0]
        return decide(self.facts, chosen, peeking=self.peeking)

"""What a decision came to: promote, reject or inconclusive, with every check it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from ..markup import paragraph, plain_repr
from ..policy import Policy
from .check import Check, DecisionRule, failed_texts

__all__ = ["Decision", "Verdict", "decision_of"]

Decision = Literal["promote", "reject", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """decision; reasons: a sentence for every check that did not pass, or for all where all did;
    next: what to do; rule: how it was asked for.
    """

    decision: Decision
    candidate: str
    baseline: str | None
    checks: tuple[Check, ...]
    policy: Policy
    rule: DecisionRule = field(default_factory=DecisionRule)

    @property
    def reasons(self) -> tuple[str, ...]:
        return failed_texts(self.checks) or tuple(check.text for check in self.checks)

    @property
    def next(self) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys(
                check.next for check in self.checks if check.status != "pass" and check.next
            )
        )

    def document(self) -> dict[str, object]:
        """JSON-ready."""
        return {
            "decision": self.decision,
            "reasons": list(self.reasons),
            "next": list(self.next),
            "checks": [asdict(check) for check in self.checks],
        }

    @plain_repr
    def __repr__(self) -> str:
        against = f" over {self.baseline}" if self.baseline else " as a first deployment"
        return (
            f"<Verdict {self.decision}: {self.candidate}{against}."
            f" {' '.join(self.reasons)}{' Next: ' + ' '.join(self.next) if self.next else ''}>"
        )

    def _repr_html_(self) -> str:
        return paragraph(self)


def decision_of(checks: Sequence[Check]) -> Decision:
    """A failed must-pass example rejects, so does any failed check of complete data; what passes
    everything is promoted.
    """
    incomplete = any(check.name == "complete" and check.status != "pass" for check in checks)
    must = any(check.name == "must_pass" and check.status == "fail" for check in checks)
    if must or (not incomplete and any(check.status == "fail" for check in checks)):
        return "reject"
    return "promote" if all(check.status == "pass" for check in checks) else "inconclusive"

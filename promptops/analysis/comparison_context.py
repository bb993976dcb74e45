"""What surrounds a comparison: where its two arms come from and what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .classes import GoldenLabels
from .facts import RULES
from .tried import Tried

if TYPE_CHECKING:
    pass

__all__ = ["ComparisonContext"]


@dataclass(frozen=True, slots=True)
class ComparisonContext:
    """Where a comparison's examples come from, and under which discipline.

    planned: how many examples both arms were to be asked, None if unknown; clusters: example id
    -> group; tags: example id -> tags; split: the one split that the examples are of; tested:
    whether a plan fixed it before the runs; served: how many verdicts this split has already
    served; noise: the A/A difference of the primary (mean, interval), None: not measured; copies:
    id of a copy -> id of the example that it repeats, since copies are one example; contradictory:
    how many inputs have golden answers that differ; labels: the golden labels, where they are few;
    rules: of which release the figures and verdicts are; tried: what was judged before on these
    examples; looked: how many candidates were looked at after every batch, 0 if none was;
    weights: example id -> how often it is asked, None if each counts once; weighed_by: the
    column of these; weighing: whether the figures are by them, else they are shown beside; mixed:
    sentences on answers and scores of more than one model behind one name; relabelled: (label,
    examples that score more, examples that score less) of each arm by golden answers that were
    changed after its answers were scored, empty if none was; clustered_by: names of earlier studies
    whose clusters of these examples stay in force.
    """

    prompt: str = ""
    study: str = ""
    dataset: str = ""
    fingerprint: str = ""
    planned: int | None = None
    clusters: Mapping[str, str] | None = None
    tags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    split: str | None = None
    tested: bool = False
    served: int | None = None
    plan: Mapping[str, Any] | None = None
    noise: tuple[float, float | None, float | None] | None = None
    copies: Mapping[str, str] = field(default_factory=dict)
    contradictory: int = 0
    labels: GoldenLabels | None = None
    rules: int = RULES
    tried: Tried = field(default_factory=Tried)
    looked: int = 0
    weights: Mapping[str, float] | None = None
    weighed_by: str = ""
    weighing: bool = False
    mixed: tuple[str, ...] = ()
    clustered_by: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()  # sentences on examples that a prompt shows
    relabelled: tuple[tuple[str, int, int], ...] = ()
    searched: str = ""  # a sentence on examples on which a search chose the candidate
    pooled: str = ""  # a sentence on answers of earlier studies that the figures count

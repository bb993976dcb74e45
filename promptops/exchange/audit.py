"""A history of evaluations, judged: does each improvement that somebody's runs claim hold?

Every pair of runs that share examples and a score is compared on the shared examples by the exact
sign-flip test. A pair claims an improvement where one run's own mean is higher. Which of the two is
higher was seen in the same data, so the test is two-sided; over all claims of the history the
p-values are adjusted by Holm.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..analysis.arms import Arm
from ..analysis.facts import Difference, difference
from ..analysis.multiplicity import holm
from ..analysis.paper import latex_table, latex_text
from ..analysis.pooled_copies import collapse
from ..errors import DatasetError
from ..study.copies import Copies, copies_of, golden_reads, reads_of
from .detect import read_export
from .imported import Imported, Left, merged
from .imported_arms import arms_of, with_scores

__all__ = ["Audit", "Claim", "audit", "audit_files"]

Judgement = Literal["holds", "reversed", "undecided"]
_MOST_PAIRS = 2_000
_FEWEST = 1  # shared examples that make a pair


@dataclass(frozen=True, slots=True)
class Claim:
    """One claimed improvement. better, worse: labels, as the runs' own means order them; claimed:
    those means (better, worse), each over all examples of its run; figures: on the shared examples;
    p: two-sided, exact; adjusted: by Holm over the history.
    """

    scorer: str
    better: str
    worse: str
    claimed: tuple[float, float]
    figures: Difference
    p: float
    adjusted: float
    judgement: Judgement

    def sentence(self) -> str:
        """What the data allow to conclude about the claim."""
        share = f"{self.figures.n:,} shared example{'' if self.figures.n == 1 else 's'}"
        gain = f"{self.figures.gain:+.1%}".replace("%", " pp")
        head = f"{self.better} over {self.worse} ({self.scorer}): {gain} on {share}"
        tail = f"p = {self.p:.2g}, {self.adjusted:.2g} over the history"
        if self.judgement != "undecided":
            return f"{head}; {self.judgement}: {tail}."
        needed = self.figures.n_needed
        more = f"; about {needed:,} examples would settle this gain" if needed else ""
        return f"{head}; undecided: {tail}{more}."

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "scorer": self.scorer,
            "better": self.better,
            "worse": self.worse,
            "claimed": list(self.claimed),
            "shared": self.figures.n,
            "gain": self.figures.gain,
            "low": self.figures.low,
            "high": self.figures.high,
            "wins": self.figures.wins,
            "losses": self.figures.losses,
            "p": self.p,
            "p_adjusted": self.adjusted,
            "judgement": self.judgement,
            "needed": self.figures.n_needed,
        }


@dataclass(frozen=True, slots=True)
class Audit:
    """claims: strongest first; equal: pairs whose own means are equal, which claim nothing; apart:
    pairs that share no example or score; alpha: of the whole history; left: what was not read.
    """

    claims: tuple[Claim, ...]
    runs: tuple[str, ...]
    equal: int
    apart: int
    alpha: float
    notes: tuple[str, ...] = ()
    left: tuple[Left, ...] = ()

    def count(self, judgement: Judgement) -> int:
        """How many claims came to this."""
        return sum(claim.judgement == judgement for claim in self.claims)

    def summary(self) -> str:
        """The one line that a history comes to."""
        n = len(self.claims)
        if not n:
            return "no claimed improvement: no two runs share examples and differ in a score."
        holds, turned = self.count("holds"), self.count("reversed")
        untold = self.count("undecided")
        return (
            f"{n:,} claimed improvement{'' if n == 1 else 's'}: {holds} hold{'s' * (holds == 1)},"
            f" {turned} reversed, {untold} undecided."
        )

    def methods(self) -> str:
        """The paragraph on methods for a paper or a report."""
        return (
            f"We compared {len(self.runs):,} recorded runs pairwise on the examples that both"
            " answered, by the exact two-sided sign-flip (paired permutation) test on the"
            " per-example mean scores. A pair counted as a claimed improvement where one run's"
            f" reported mean was higher ({len(self.claims):,} pairs). P-values were adjusted by"
            f" Holm's method over all claims at a family-wise error rate of {self.alpha:g};"
            " unscored answers were left out of a pair and never counted as 0."
        )

    def to_latex(self) -> str:
        """The claims as a LaTeX table (booktabs)."""
        rows = [
            (
                latex_text(claim.better),
                latex_text(claim.worse),
                latex_text(claim.scorer),
                str(claim.figures.n),
                f"{100 * claim.figures.gain:+.1f}",
                f"{claim.adjusted:.3g}",
                claim.judgement,
            )
            for claim in self.claims
        ]
        head = ("Better", "Worse", "Score", "$n$", "Gain (pp)", r"$p_{\mathrm{Holm}}$", "Judgement")
        return latex_table("lllrrrl", head, rows)

    def document(self) -> dict[str, Any]:
        """JSON-ready: every figure, and what was not read."""
        return {
            "format": "promptops-audit-1",
            "summary": self.summary(),
            "alpha": self.alpha,
            "runs": list(self.runs),
            "claims": [claim.document() for claim in self.claims],
            "equal": self.equal,
            "apart": self.apart,
            "methods": self.methods(),
            "notes": list(self.notes),
            "left": [str(left) for left in self.left],
        }


def audit_files(paths: Sequence[Path], *, alpha: float = 0.05, scorer: str | None = None) -> Audit:
    """The audit of files and folders; a file in a folder that is not an export is named, not fatal.

    Args:
        paths: exports of other tools, or folders of them.
        alpha: the family-wise error rate over all claims.
        scorer: the one score to judge by; None: each pair's first shared one.

    Returns:
        Every claimed improvement, judged.

    Raises:
        DatasetError: a named file is not an export that is known, or no run was found at all.
    """
    parts, left = [], []
    for path in paths:
        if not path.is_dir():
            parts.append(_labelled(read_export(path), path))
            continue
        for inner in sorted(item for item in path.rglob("*") if item.is_file()):
            try:
                parts.append(_labelled(read_export(inner), inner))
            except DatasetError as error:
                left.append(Left(inner.name, None, "the file", str(error).rstrip(".")))
    found = audit(parts, alpha=alpha, scorer=scorer)
    return replace(found, left=(*found.left, *left))


def _labelled(found: Imported, path: Path) -> Imported:
    """The labels of a file's runs, with the file's name before them."""
    own = {
        label: label if label == path.stem else f"{path.stem}: {label}" for label in found.labels
    }
    runs = tuple(replace(run, version=own[run.version]) for run in found.runs)
    return replace(found, runs=runs)


def audit(parts: Sequence[Imported], *, alpha: float = 0.05, scorer: str | None = None) -> Audit:
    """The audit of what was imported; see `audit_files`."""
    scored, notes = [], []
    for part in parts:
        if part.runs:
            found, note = with_scores(part)
            scored.append(found)
            notes += [note] if note else []
    if not scored:
        raise DatasetError("no run was found in these files; an audit needs recorded answers.")
    whole = merged(scored)
    if len(scored) > 1:
        notes += [note for note in whole.notes if not any(note in part.notes for part in scored)]
    same = copies_of(whole.examples, [reads_of(None)], golden_reads(()))
    arms = list(arms_of(whole, [scorer] if scorer else ()).values())
    pairs = list(itertools.combinations(arms, 2))
    if len(pairs) > _MOST_PAIRS:
        raise DatasetError(
            f"{len(arms):,} runs make {len(pairs):,} pairs, more than the {_MOST_PAIRS:,} that an"
            " audit judges at once; audit one task at a time."
        )
    claims, equal, apart = [], 0, 0
    for a, b in pairs:
        found_claim = _claim(a, b, same)
        if isinstance(found_claim, Claim):
            claims.append(found_claim)
        else:
            equal, apart = equal + found_claim, apart + (not found_claim)
    judged = _judged(claims, alpha)
    left = tuple(item for part in parts for item in part.left)
    labels = tuple(arm.label for arm in arms)
    return Audit(judged, labels, equal, apart, alpha, tuple(notes), left)


def _claim(a: Arm, b: Arm, same: Copies) -> Claim | bool:
    """What a pair claims; True if its means are equal, False if nothing is shared. same: the
    examples that are one example, however often they were asked.
    """
    name = next((name for name in a.scores if name in b.scores), None)
    if name is None or not set(a.scores[name].examples) & set(b.scores[name].examples):
        return False
    means = {arm.label: _mean(arm, name) for arm in (a, b)}
    if means[a.label] == means[b.label]:
        return True
    better, worse = (a, b) if means[a.label] > means[b.label] else (b, a)
    won, lost = (collapse(arm, same.copies).scores[name] for arm in (better, worse))
    figures, _ = difference(name, won, lost, clusters=same.clusters)
    if figures.n < _FEWEST:
        return False
    p = min(1.0, 2 * min(figures.p_better, figures.p_worse))
    claimed = (means[better.label], means[worse.label])
    return Claim(name, better.label, worse.label, claimed, figures, p, p, "undecided")


def _mean(arm: Arm, name: str) -> float:
    """A run's own mean, as its tool reports it: over the examples that were scored."""
    outcomes = arm.scores[name]
    known = [float(mean) for mean, n in zip(outcomes.mean, outcomes.scored, strict=True) if n]
    return sum(known) / len(known) if known else 0.0


def _judged(claims: list[Claim], alpha: float) -> tuple[Claim, ...]:
    adjusted = [float(p) for p in holm([claim.p for claim in claims])] if claims else []
    out = []
    for claim, p in zip(claims, adjusted, strict=True):
        judgement: Judgement = "undecided"
        if p <= alpha:
            judgement = "holds" if claim.figures.gain > 0 else "reversed"
        out.append(replace(claim, adjusted=p, judgement=judgement))
    return tuple(sorted(out, key=lambda claim: (claim.adjusted, claim.p, claim.better)))

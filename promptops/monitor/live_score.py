"""Judging a share of the live answers by the scorers of studies: sampled by hash, each once, and
never silent about what was not judged and why.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..dataset.example import Example
from ..errors import StudyError
from ..failure_classes import FAILURES
from ..markup import paragraph, plain_repr
from ..observe.live_call import CAP, is_cut
from ..run import Run
from ..scorers.case import Case
from ..scorers.rule import judge_calls
from ..scoring.score_phase import ScorePhase
from ..study.ask import Asker
from ..study.study_record import ScorerRef
from .drift_declared import scorers_of
from .live_rows import NO_CONTENT, cut_texts, example_of
from .queries.live_judged import scored_by_all

if TYPE_CHECKING:
    from ..scorers.case import Scorer
    from ..scoring.score_rows import ScoreRow
    from ..study.project import Project

__all__ = ["LiveScoring", "by_judges", "is_beyond", "score_live"]

_STEP = 200  # answers that are judged between two writes
_CUT = f"of more than {CAP:,} characters, the rest of which was not recorded"


@dataclass(frozen=True, slots=True)
class LiveScoring:
    """calls: live rows that were looked at; sampled: those of the share; scored: judgements made
    now; skipped: why the others of the share were not judged -> how many.
    """

    calls: int
    sampled: int
    scored: int
    skipped: Mapping[str, int] = field(default_factory=dict)

    @plain_repr
    def __repr__(self) -> str:
        why = "; ".join(f"{count:,} {reason}" for reason, count in self.skipped.items())
        because = f" because: {why}" if why else ""
        return f"{self.scored:,} of {self.sampled:,} sampled answers scored{because}."

    def _repr_html_(self) -> str:
        return paragraph(self)


def score_live(
    project: Project,
    rows: Sequence[Mapping[str, object]],
    scorers: Sequence[object],
    *,
    share: float = 1.0,
    budget_usd: float | None = None,
    asker: Asker | None = None,
    shares: Mapping[object, float] | None = None,
) -> LiveScoring:
    """Judge the share of these rows that their ids' hashes choose; those that have a score of the
    same scorer and version are done. A crash loses at most the last answers: run it again.

    asker: asks the judges, so that several calls share its budget; None: one with `budget_usd`.
    shares: service -> the share of its calls whose content is kept; None: as these rows show it.

    scorers: texts of the catalogue, scorers, functions. Raises StudyError for a share that is not
    one, ScorerError for what is not a scorer.
    """
    if not 0 < share <= 1:
        raise StudyError(f"share is {share!r}; expected more than 0 and at most 1.")
    sampled = [row for row in rows if _in_share(str(row["id"]), share)]
    shares = _least_kept(rows) if shares is None else shares
    skipped: Counter[str] = Counter()
    ask = (asker or Asker(project, project.limits(budget_usd=budget_usd))).ask
    scored = 0
    every = scorers_of(scorers)
    for judges, given in by_judges(sampled, every):
        done = _scored_before(project, given, judges) if judges else set()
        whys = [_unfit(row, done, shares) for row in given]
        if len(judges) < len(every):
            cut = f"have an input {_CUT}, which a scorer reads"
            skipped.update(cut for why in whys if judges and not why)
            whys = [why or ("" if judges else cut) for why in whys]
        skipped.update(filter(None, whys))
        cases = [_case(row) for row, why in zip(given, whys, strict=True) if not why]
        for start in range(0, len(cases), _STEP):
            phase = ScorePhase(judges, ask=ask)
            part = cases[start : start + _STEP]
            judged = [*phase.rows(part), *project.loop.finish(_remote(phase, part))]
            kept = [row for row in judged if row["value"] is not None]
            skipped.update(str(row["unscored"]) for row in judged if row["value"] is None)
            if kept:
                project.store.append("scores", kept)
            scored += len({row["run_id"] for row in kept})
    return LiveScoring(len(rows), len(sampled), scored, dict(skipped))


def by_judges(
    rows: Sequence[Mapping[str, Any]], scorers: Sequence[Scorer]
) -> list[tuple[list[Scorer], list[Mapping[str, Any]]]]:
    """The rows by the scorers that read nothing of them that was cut: of half a context, a judge
    of faithfulness finds that the answer is made up.
    """
    found: dict[tuple[int, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        cut = cut_texts(row)
        fit = (at for at, each in enumerate(scorers) if not (cut and _reads(each, cut)))
        found.setdefault(tuple(fit), []).append(row)
    return [([scorers[at] for at in fit], given) for fit, given in found.items()]


def _reads(scorer: Scorer, columns: Set[str]) -> bool:
    """Whether a scorer reads one of the columns; a judge that names none is shown all inputs."""
    needs = set(ScorerRef.of(scorer).needs)
    all_ = "*" in needs or (judge_calls(scorer) and not needs - {"expected"})
    return bool(needs & columns) or (bool(all_) and columns != {"expected"})


async def _remote(phase: ScorePhase, cases: list[Case]) -> list[ScoreRow]:
    return [row async for row in phase.rows_async(cases)]


def _in_share(name: str, share: float, of: str = "score") -> bool:
    data = hashlib.sha256(f"{of}\n{name}".encode()).digest()
    return int.from_bytes(data[:4], "big") < share * 2**32


def _least_kept(rows: Sequence[Mapping[str, Any]]) -> dict[object, float]:
    """service -> the share of its calls whose content is kept; each failure is kept beside them."""
    found: dict[object, float] = {}
    for row in rows:
        if row.get("kept") is not None:
            found[row.get("service")] = min(found.get(row.get("service"), 1.0), row["kept"])
    return found


def _unfit(row: Mapping[str, Any], done: set[str], shares: Mapping[object, float]) -> str:
    failure = row.get("failure")
    if failure is not None and FAILURES.get(failure) != "outcome":
        return "were failures of the infrastructure or were cut off by the application"
    if row.get("output") is None:
        return f"have no output, as {NO_CONTENT}"
    if is_cut(row["output"]):
        return f"have an output {_CUT}"
    if row["id"] in done:
        return "were scored before"
    if is_beyond(row, shares):
        least = shares[row.get("service")]
        return f"are failures, all of which are kept, beyond the {least:.3g} of other calls"
    return ""


def is_beyond(row: Mapping[str, Any], shares: Mapping[object, float]) -> bool:
    """Whether the row's content was kept since it failed, while a share of the others' was."""
    least = shares.get(row.get("service"), 1.0)
    return row.get("kept") == 1 and not _in_share(str(row["id"]), least, "kept")


def _scored_before(
    project: Project, rows: Sequence[Mapping[str, object]], scorers: Sequence[Scorer]
) -> set[str]:
    """Ids of the rows that every scorer has judged."""
    if not rows:
        return set()
    calls = [str(row["id"]) for row in rows]
    return scored_by_all(project.store, calls, [(each.name, each.version) for each in scorers])


def _case(row: Mapping[str, Any]) -> Case:
    """The answer as scorers see answers; "" for the example's content if it was not kept."""
    example = example_of(row) or Example("live", {})
    run = Run(
        id=str(row["id"]),
        key="",
        prompt=row.get("prompt") or "",
        version_id=row.get("version_id") or "",
        model=row.get("model") or "",
        endpoint=row.get("endpoint") or "",
        role="imported",
        example_id=example.id,
        example_fingerprint=example.fingerprint,
        repeat=0,
        request="{}",
        output=row.get("output"),
        tool_calls=row.get("tool_calls"),
        finish_reason=row.get("finish_reason"),
        failure=row.get("failure"),
        latency_ms=row.get("latency_ms"),
    )
    return Case(run.output or "", example, run)

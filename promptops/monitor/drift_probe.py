"""One probe: the watched version asked the same examples again, as a study that no list shows.

A probe's study is named by its monitor and its day, so that an interrupted one is finished by
running it again and one that is complete asks nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import StudyError
from ..study.evaluate import EvaluateOptions, draw, start
from ..study.queries.probes import probe_scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..dataset import Dataset
    from ..registry.history import SavedEntry
    from ..scorers.case import Scorer
    from ..study.project import Project

    Floats = NDArray[np.float64]

__all__ = ["Probe", "Probing", "probe"]

ROLE = "probe"


@dataclass(frozen=True, slots=True)
class Probing:
    """What is asked. monitor: its name; entry: the saved version; budget_usd: of one probe."""

    monitor: str
    entry: SavedEntry
    prompt: str
    dataset: Dataset
    scorers: Sequence[Scorer]
    budget_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """What came back.

    study: its id; scores: by scorer (repeats, examples), NaN if unscored; answered_by: the model
    and fingerprint that most answers name, and how many others there were; stopped: why it is
    incomplete, "" if it is not.
    """

    study: str
    scores: dict[str, Floats]
    answered_by: tuple[str, str]
    stopped: str = ""

    def unscored(self, scorer: str) -> int:
        """How many answers of a scorer are missing."""
        import numpy as np

        return int(np.isnan(self.scores[scorer]).sum())


def probe(project: Project, asked: Probing, salt: str, repeats: int) -> Probe:
    """Ask, score and wait; what was asked under the same salt is not asked again.

    Raises:
        StudyError, SetupError, ScorerError, DatasetError: it cannot be asked at all.
        KeyboardInterrupt: as it came; what is answered is kept.
    """
    limits = {} if asked.budget_usd is None else {"budget_usd": asked.budget_usd}
    options = EvaluateOptions(
        name=f"{asked.monitor} {salt}",
        salt=f"{asked.monitor} {salt}",
        role=ROLE,
        limits=limits,
        repeats=repeats,
    )
    saved = _Saved(asked.entry, asked.prompt)
    drawn = draw(project, [saved], asked.dataset, list(asked.scorers), options)
    study = start(project, drawn, options)
    study.wait()
    running = study.running
    stopped = " ".join(running.shortfalls()) if running is not None else ""
    return read_probe(project, asked, study.id, repeats, stopped)


def read_probe(
    project: Project, asked: Probing, study: str, repeats: int, stopped: str = ""
) -> Probe:
    """A probe's scores, as the store has them."""
    import numpy as np

    ids = project.store.identifiers([example.id for example in asked.dataset])
    places = {id: at for at, id in enumerate(ids)}
    scores: dict[str, Floats] = {}
    who: Counter[tuple[str, str]] = Counter()
    for scorer in asked.scorers:
        found = np.full((repeats, len(places)), np.nan)
        for row in probe_scores(project.store, study, scorer.name, scorer.version):
            if row.outcome is not None:
                found[row.repeat, places[row.example]] = row.outcome
            who[row.model, row.fingerprint] += 1
        scores[scorer.name] = found
    if not scores:
        raise StudyError("a probe needs a scorer that says how good an answer is; pass scorers=.")
    return Probe(study, scores, who.most_common(1)[0][0] if who else ("", ""), stopped)


class _Saved:
    """A version of the registry as a study takes it."""

    def __init__(self, entry: SavedEntry, prompt: str) -> None:
        self.version, self.number, self.prompt = entry.version, entry.number, prompt

"""A search as a notebook holds it: it shows itself while it runs, and leads to a saved version and
its confirmation.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from ..analysis.words import count, percent
from ..errors import StudyError
from ..markup import plain_repr
from ..optimize import search as searching
from ..optimize.search import Search
from ..optimize.spending import Allowance
from ..signatures import explained_methods
from ..study import evaluate
from ..study.provenance import in_kernel
from ..study.queries.studies import head_of
from . import show
from .prompt import Prompt, SavedVersion
from .study import Study
from .workers import asking_at

if TYPE_CHECKING:
    from ..optimize.headroom import Headroom
    from ..optimize.lineage import Candidate
    from ..optimize.task import Optimizer
    from ..study.design import StudyDesign
    from ..study.project import Project
    from ..version import PromptVersion

__all__ = ["Optimization", "OptimizeOptions", "optimized"]


class OptimizeOptions(TypedDict, total=False):
    """The additional keywords of `Lab.optimize`.

    budget_calls, budget_tokens, budget_usd, budget_s: the budget of the search for task, judge and
        proposer calls together; at least one of them;
    goal: "better", or "cheaper" for the same quality with fewer tokens; seed: the random seed;
    concurrency: calls in flight (None: adapted); context_tokens: the maximum size of a request;
    workers: a dask scheduler, whose workers make the calls.
    """

    budget_calls: int | None
    budget_tokens: int | None
    budget_usd: float | None
    budget_s: float | None
    goal: Literal["better", "cheaper"]
    seed: int
    concurrency: int | None
    context_tokens: int | None
    workers: object


_BUDGETS = {"budget_calls": "calls", "budget_tokens": "tokens"} | {
    "budget_usd": "usd",
    "budget_s": "seconds",
}
_CHOSEN = {"goal": "goal", "seed": "rng", "concurrency": "concurrency"} | {
    "context_tokens": "context_tokens"
}


def optimized(
    project: Project,
    version: object,
    dataset: object,
    scorers: Sequence[object],
    method: str | Optimizer,
    options: OptimizeOptions,
) -> Optimization:
    """See Lab.optimize."""
    unknown = sorted(set(options) - set(_BUDGETS) - set(_CHOSEN) - {"workers"})
    if unknown:
        raise TypeError(
            f"optimize has no option {unknown[0]!r}; it has"
            f" {', '.join(sorted({*_BUDGETS, *_CHOSEN, 'workers'}))}."
        )
    given = dict(options)
    project = asking_at(project, given.get("workers"))
    budget: dict[str, Any] = {own: given.get(name) for name, own in _BUDGETS.items()}
    if all(limit is None for limit in budget.values()):  # the project's own, of promptops.toml
        file = project.location.file
        budget = {**budget, "usd": file.budget_usd, "tokens": file.budget_tokens}
    chosen: dict[str, Any] = {own: given[name] for name, own in _CHOSEN.items() if name in given}
    design = searching.designed(
        project, version, dataset, scorers, method=method, allowance=Allowance(**budget), **chosen
    )
    found = Optimization(searching.begin(project, design))
    if not in_kernel():
        found.wait()
    return found


@explained_methods
class Optimization:
    """One search. It uses only train and val; `confirm` runs the test split, once.

    search: the same search without methods of display.
    """

    def __init__(self, search: Search) -> None:
        self.search = search
        self._study: Study | None = None

    @property
    def project(self) -> Project:
        return self.search.project

    @property
    def id(self) -> str:
        return self.search.id

    @property
    def status(self) -> str:
        """running, finished, stopped or failed."""
        return self.search.status

    @property
    def headroom(self) -> Headroom | None:
        """The room for improvement before the search; None until the seed has answered."""
        return self.search.headroom

    @property
    def best(self) -> PromptVersion:
        """The best version so far, unnumbered; the seed if nothing is better on val."""
        return self.search.best.version

    @property
    def candidates(self) -> list[Candidate]:
        """All candidates of the search, the seed first."""
        return list(self.search.lineage.candidates.values())

    @property
    def front(self) -> list[Candidate]:
        """The candidates that no other one beats in both quality and tokens."""
        return self.search.front

    @property
    def calls(self) -> dict[str, int]:
        """The number of calls by role: task, judge, propose."""
        return dict(self.search.spending.calls)

    def wait(self, timeout_s: float | None = None) -> Optimization:
        """Wait until the search is done, and return it.

        Raises:
            PromptOpsError: if the search failed.
            TimeoutError: if it is not done after `timeout_s` seconds.
        """
        self.search.wait(timeout_s)
        return self

    def stop(self) -> None:
        """Stop making calls within a second; the best version so far is kept."""
        self.search.stop()

    def save(self, note: str = "") -> SavedVersion:
        """Save the best version under the next number of its prompt, without deploying it.

        Args:
            note: a note for readers of the history.

        Returns:
            The saved version; the same one if it was saved before.

        Raises:
            StudyError: if nothing is better than the seed, or the seed has no prompt.
        """
        self.wait()
        number = searching.saved(self.search, note)
        return Prompt(self.project, self.search.design.prompt)[number]

    def confirm(self) -> Study:
        """Compare the best version with the seed on the test split, by the plan recorded before the
        search; this is the only study of the search that can support a promotion.

        Returns:
            The study; the same one if called again.

        Raises:
            StudyError: if nothing is better than the seed.
        """
        self.wait()
        search, design = self.search, self.search.design
        if search.best.number == 0:
            raise StudyError(
                "the search found nothing better than its seed on val, so there is nothing to"
                " confirm; the test split stays unused."
            )
        if self._study is None:
            options = evaluate.EvaluateOptions(
                plan=search.plan, limits={"concurrency": design.concurrency}
            )
            drawn = self._confirming(search.best.version, options)
            if saved := self._saved_best():
                # a confirmation from before it was saved stays the one
                known = head_of(self.project.store, drawn.id) is not None
                drawn = drawn if known else self._confirming(saved, options)
            self._study = Study(evaluate.start(self.project, drawn, options))
        if not in_kernel():
            self._study.wait()
        return self._study

    def _confirming(self, best: object, options: evaluate.EvaluateOptions) -> StudyDesign:
        versions = [self.search.design.given, best]
        return evaluate.draw(self.project, versions, self.search.design.data, (), options)

    def _saved_best(self) -> SavedVersion | None:
        """The best under its number, if it was saved."""
        name = self.search.design.prompt
        saved = Prompt(self.project, name) if name else ()
        return next((each for each in saved if each.id == self.search.best.version.id), None)

    @plain_repr
    def __repr__(self) -> str:
        search = self.search
        seed, best = search.lineage.candidates[search.design.seed.id], search.best
        shown = f"{best.label} {percent(best.score)}" if best.score is not None else best.label
        if 0 < best.n < seed.n:
            shown = f"{shown} of only {count(best.n, 'row')}"
        first = f"seed {percent(seed.score)}" if seed.score is not None else "seed –"
        on_val = f"{shown}, {first} (chosen on it: expect less on test)"
        if best is seed:
            on_val = f"nothing better than the {first}" if best.n else "nothing was answered"
            if ended := search.stopping or search.spending.exhausted:
                on_val = f"{on_val}; {ended.rstrip('.')}"
        if search.choice is not None and search.choice.why:
            on_val = f"{on_val}; {search.choice.why.rstrip('.')}"
        return (
            f"<search {search.id[:9]} by {search.design.method.name}, {self.status}:"
            f" {count(len(self.candidates) - 1, 'candidate')}, {search.spending.spent_calls:,}"
            f" calls; on val {on_val}>"
        )

    def _repr_html_(self) -> str:
        return show.html(self)

    def _ipython_display_(self) -> None:
        if in_kernel():
            show.display(self)
        else:
            sys.stdout.write(f"{self!r}\n")

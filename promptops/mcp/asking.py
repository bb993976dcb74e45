"""The tools that ask models, each within what is left of the day's budget."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import Refused
from ..scorers.grammar import scorer_from
from .read_tools import compared

if TYPE_CHECKING:
    from .agent import Agent

__all__ = ["evaluate", "optimize"]


def evaluate(
    agent: Agent,
    prompt: str,
    candidate: str,
    baseline: str,
    dataset: str,
    scorers: list[Any],
    **options: Any,
) -> object:
    """Two versions on the examples of a data file."""
    from ..testing.study_file import version_named

    lab, repeats = agent.lab, int(options.get("repeats", 1))
    if not 1 <= repeats <= 20:
        raise Refused(f"repeats is {repeats}; next: ask each example 1 to 20 times.")
    old, new = (version_named(lab, prompt, named) for named in (baseline, candidate))
    if old == new:
        raise Refused(f"both are {old.label}; next: name two versions of {prompt}.")
    data = agent.dataset(dataset, options.get("split"), _columns(options))
    made = [scorer_from(one) for one in scorers]
    with _warned():  # it warns of the same as the evaluation
        expected = lab.estimate([old, new], data, made, repeats=repeats)
    calls = expected.calls + expected.judges
    with agent.spending(calls, "this evaluation") as (lab, allowed), _warned() as notes:
        usd = allowed.usd if calls else None
        study = lab.evaluate([old, new], data, made, repeats=repeats, budget_usd=usd).wait()
        comparison = compared(study.compare(candidate=new, baseline=old))
    return {
        "study": study.name,
        "status": study.status,
        "calls": expected.calls,
        **comparison,
        "warnings": notes,
        "calls_left": agent.budget.left().calls,
    }


def optimize(
    agent: Agent,
    prompt: str,
    version: str,
    dataset: str,
    scorers: list[Any],
    budget_calls: int,
    **options: object,
) -> Any:
    """A search for a better version on train and val; the best is saved where a note says why."""
    from ..testing.study_file import version_named

    if budget_calls < 1:
        raise Refused(f"budget_calls is {budget_calls}; next: give the calls that it may make.")
    lab = agent.lab
    seed = version_named(lab, prompt, version)
    data = agent.dataset(dataset, None, _columns(options))
    made = [scorer_from(one) for one in scorers]
    method = str(options.get("method", "few_shot"))
    if method not in ("few_shot", "instructions"):
        raise Refused(f"method is {method!r}; next: use few_shot or instructions.")
    with agent.spending(budget_calls, "this search") as (lab, allowed), _warned() as notes:
        search = lab.optimize(
            seed,
            data,
            made,
            method=method,
            budget_calls=budget_calls,
            budget_usd=allowed.usd or None,
        ).wait()
    found = search.best.id != seed.id
    note = str(options.get("note", ""))
    saved = search.save(note=note) if found and note else None
    return {
        "search": search.id,
        "found": found,
        "saved": saved.label if saved is not None else None,
        "best": search.best.document(),
        "calls": search.calls,
        "warnings": notes,
        "next": (
            "evaluate it against the version that it began from on split test, then open_proposal."
            if found
            else "nothing better than the seed was found on val; there is nothing to propose."
        ),
    }


def _columns(options: dict[str, object]) -> dict[str, object]:
    return {"expected": options["expected"]} if options.get("expected") else {}


@contextmanager
def _warned() -> Iterator[list[str]]:
    """What is warned of, as sentences, once the block has ended."""
    sentences: list[str] = []
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        yield sentences
    sentences += [str(one.message) for one in seen]

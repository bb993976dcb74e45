"""What `@pytest.mark.prompt(...)` declares, as a study and as versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import NotDeployed
from ..markup import count

if TYPE_CHECKING:
    from ..lab import Lab
    from ..lab.prompt import SavedVersion
    from ..lab.study import Study

__all__ = ["PromptUnderTest"]

_KNOWN = ("data", "split", "scorers", "candidate", "baseline", "env")


@dataclass(frozen=True, slots=True)
class PromptUnderTest:
    """A prompt and what it is tested on. options: of the mark, by name."""

    lab: Lab
    name: str
    options: Mapping[str, Any]

    @classmethod
    def of(cls, node: pytest.Item, lab: Lab, *, alone: bool = False) -> PromptUnderTest:
        """The nearest mark of a test. alone: without one, the only prompt of the registry is meant.
        Raises UsageError if it is missing or wrong.
        """
        mark = node.get_closest_marker("prompt")
        if mark is None and alone and len(names := lab.project.registry.names()) == 1:
            return cls(lab, names[0], {})
        if mark is None or not mark.args:
            raise pytest.UsageError(
                f"{node.nodeid} uses a fixture of promptops without naming a prompt: mark it with "
                '@pytest.mark.prompt("name", data="file.jsonl").'
            )
        unknown = [name for name in mark.kwargs if name not in _KNOWN]
        if unknown:
            raise pytest.UsageError(
                f"@pytest.mark.prompt does not take {unknown[0]!r}; it takes {', '.join(_KNOWN)}."
            )
        return cls(lab, str(mark.args[0]), mark.kwargs)

    def candidate(self) -> SavedVersion:
        """The version under test: the named one, else the newest saved one."""
        prompt = self.lab.prompt(self.name)
        wanted = self.options.get("candidate")
        if wanted is not None:
            return prompt[wanted]
        versions = list(prompt)
        if not versions:
            raise pytest.UsageError(
                f"{self.name} has no saved version in {self.lab.project.registry.path}; save one, "
                "and commit the registry."
            )
        return versions[-1]

    def baseline(self) -> SavedVersion | None:
        """What it is compared with: the named version, else what the environment serves; None if
        that is nothing.
        """
        prompt = self.lab.prompt(self.name)
        wanted = self.options.get("baseline")
        if wanted is not None:
            return prompt[wanted]
        try:
            serving = self.lab.project.registry.serving(self.name, self.options.get("env", "prod"))
        except NotDeployed:
            serving = None
        if serving is None or serving.number is None:
            return None
        return prompt[serving.number]

    def alone(self) -> tuple[bool, str]:
        """(whether that is in order, why the candidate has nothing to be compared with): the
        environment serves the newest version, as after each promotion, or nothing yet; "" if there
        is another version.
        """
        candidate, baseline = self.candidate(), self.baseline()
        env = self.options.get("env", "prod")
        if baseline is None:
            return False, (
                f"{self.name} serves nothing in {env}, so that {candidate.label} is compared with"
                " nothing; promote a first version, or name baseline= in the mark."
            )
        if candidate.id != baseline.id or {"candidate", "baseline"} & self.options.keys():
            return False, ""
        return True, (
            f"{env} already serves {candidate.label}, the newest version of {self.name}; save"
            " another version to compare it"
        )

    def evaluate(self, config: pytest.Config) -> Study:
        """The study of both versions on the declared examples; skips offline where a call would be
        needed.
        """
        from ..dataset import Dataset
        from ..scorers import equals
        from ..scorers.grammar import scorer_from

        if self.options.get("data") is None:
            raise pytest.UsageError(
                f'the study of {self.name} has no examples: add data="file.jsonl" to its mark.'
            )
        data = self.options["data"]
        if not isinstance(data, Dataset):
            data = Dataset.read(self.lab.project.root / data if isinstance(data, str) else data)
        if self.options.get("split") is not None:
            data = data.split(self.options["split"])
        candidate, baseline = self.candidate(), self.baseline()
        same = baseline is None or baseline.id == candidate.id
        versions = [candidate] if baseline is None or same else [baseline, candidate]
        named = self.options.get("scorers") or [equals()]
        scorers = [scorer_from(one) if isinstance(one, (str, dict)) else one for one in named]
        repeats = config.getoption("--promptops-repeats")
        if config.getoption("--promptops-offline"):
            self.lab.project.models.ask_nothing()
            calls = self.lab.estimate(versions, data, scorers, repeats=repeats).calls
            if calls:
                are = "is" if calls == 1 else "are"
                pytest.skip(f"{count(calls, 'answer')} of {self.name} {are} not recorded: offline")
        return self.lab.evaluate(
            versions,
            data,
            scorers,
            repeats=repeats,
            budget_usd=config.getoption("--promptops-budget"),
        )

    def spent(self, since: float) -> float:
        """USD of all calls since then (Unix seconds), those of other workers included."""
        from ..run import utc
        from ..study.queries.call_figures import spent_since

        return spent_since(self.lab.store, utc(since), self.lab.project.prices)

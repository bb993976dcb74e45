"""pytest's entry point: prompts tested like code.

```python
@pytest.mark.prompt("support-triage", data="data/tickets.jsonl", split="test")
def test_not_worse(study):
    study.compare().require("not_worse", margin=0.05)

@by_example("data/tickets.jsonl", split="val", prompt="support-triage")
def test_names_a_category(example, ask):
    assert ask(example).json()["category"] in CATEGORIES
```

Importing this costs the standard library and pytest only; the lab is imported by the first fixture
that needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from .examples import by_example

if TYPE_CHECKING:
    from ..dataset import Example
    from ..lab import Lab
    from ..lab.answer import Answer
    from ..lab.study import Study

__all__ = ["by_example"]

_SENTENCES = "promptops"  # the user property that carries a verdict to the summary, over xdist too
_PROMPT = (
    "prompt(name, data=None, split=None, scorers=None, candidate=None, baseline=None, env='prod'): "
    "which prompt `study` evaluates and `ask` asks; the newest saved version against what env "
    "serves, where no versions are named"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options; each has the same meaning as at the command line."""
    group = parser.getgroup("promptops", "prompts tested like code")
    group.addoption(
        "--promptops-repeats",
        type=int,
        default=1,
        metavar="N",
        help="ask each example N times (default: 1)",
    )
    group.addoption(
        "--promptops-budget",
        type=float,
        default=None,
        metavar="USD",
        help="stop a study before it costs more than this",
    )
    group.addoption(
        "--promptops-offline",
        action="store_true",
        help="use recorded answers only; a test that would need a call is skipped, with the reason",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker, so that --strict-markers knows it."""
    config.addinivalue_line("markers", _PROMPT)


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Lab:
    """The lab of the project that pytest runs in."""
    from ..lab import Lab

    return Lab(request.config.rootpath)


@pytest.fixture
def study(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Study]:
    """The study that `@pytest.mark.prompt(...)` names: evaluated, or taken from what is recorded.

    Raises:
        UsageError: the test has no such mark, or the mark names no data.
    """
    from .under_test import PromptUnderTest

    declared = PromptUnderTest.of(request.node, lab)
    done = declared.evaluate(request.config)
    yield done
    if len(done.record.arms) > 1:
        request.node.user_properties.append((_SENTENCES, str(done.compare().statement())))


@pytest.fixture
def ask(request: pytest.FixtureRequest, lab: Lab) -> Callable[..., Answer]:
    """Asks the prompt's candidate: `ask(example)`, or `ask(ticket="...")`. Each answer is recorded,
    and an equal question is answered from what is recorded.
    """
    from .under_test import PromptUnderTest

    declared = PromptUnderTest.of(request.node, lab)
    version, offline = declared.candidate(), request.config.getoption("--promptops-offline")

    def answer(example: Example | Mapping[str, Any] | None = None, **values: Any) -> Answer:
        inputs: Any = getattr(example, "inputs", example) if example is not None else {}
        given = {**inputs, **values}
        wanted = {variable.name for variable in version.variables}
        named = {name: value for name, value in given.items() if name in wanted or not wanted}
        if offline and not declared.recorded(version, named):
            pytest.skip(f"{version.label} has no recorded answer to this example: offline")
        return version(**named)

    return answer


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The verdict of each study, once."""
    sentences = {
        (report.nodeid, str(value)): None
        for reports in terminalreporter.stats.values()
        for report in reports
        if hasattr(report, "user_properties")
        for name, value in report.user_properties
        if name == _SENTENCES
    }
    if sentences:
        terminalreporter.section("promptops")
        for test, sentence in sentences:
            terminalreporter.write_line(f"{test}: {sentence}")

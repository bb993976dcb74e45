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

import argparse
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import NothingToCompare
from .cases import TestedExample, keep_cases
from .example_tests import by_example
from .recorded_answers import RecordedAnswers, values_of

if TYPE_CHECKING:
    from ..dataset import Example
    from ..lab import Lab
    from ..lab.answer import Answer
    from ..lab.study import Study

__all__ = ["by_example"]

_SENTENCES = "promptops"  # the user property that carries a verdict to the summary, over xdist too
_BEGAN = time.time()  # of this process: what a budget counts from
_REASON = 500  # characters of an assert that are kept with the score
_CASES = pytest.StashKey[dict[str, TestedExample]]()  # by the id of their test
_ANSWERS = pytest.StashKey[RecordedAnswers]()
_ALONE = pytest.StashKey[tuple[bool, str]]()  # of a test's candidate: `PromptUnderTest.alone`
_PROMPT = (
    "prompt(name, data=None, split=None, scorers=None, candidate=None, baseline=None, env='prod'): "
    "which prompt `study` evaluates and `ask` asks; the newest saved version against what env "
    "serves, if no versions are named"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options; each has the same meaning as at the command line."""
    group = parser.getgroup("promptops", "prompts tested like code")
    group.addoption(
        "--promptops-repeats",
        type=_repeats,
        default=1,
        metavar="N",
        help="ask each example N times (default: 1)",
    )
    group.addoption(
        "--promptops-budget",
        type=_budget,
        default=None,
        metavar="USD",
        help="stop a study before it costs more than this",
    )
    group.addoption(
        "--promptops-offline",
        action="store_true",
        help="use recorded answers only; a test that would need a call is skipped, with the reason",
    )


def _repeats(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _budget(text: str) -> float:
    with suppress(ValueError):
        if 0 <= float(text) < math.inf:  # no amount is below NaN, which would be no limit at all
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not an amount of USD from 0")


def pytest_configure(config: pytest.Config) -> None:
    """The marker, so that --strict-markers knows it."""
    config.addinivalue_line("markers", _PROMPT)
    config.addinivalue_line("markers", "promptops_examples(dataset): set by `by_example` itself")
    config.stash[_CASES] = {}
    config.stash[_ANSWERS] = RecordedAnswers()


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
    from ..errors import PromptOpsError
    from .under_test import PromptUnderTest

    declared = PromptUnderTest.of(request.node, lab)
    request.node.stash[_ALONE] = declared.alone()
    done = declared.evaluate(request.config)
    yield done
    if len(done.record.arms) > 1:
        with suppress(PromptOpsError):  # a study that stopped early was the test's to tell
            request.node.user_properties.append((_SENTENCES, str(done.compare().statement())))


@pytest.fixture(scope="session")
def _kept_cases(request: pytest.FixtureRequest, lab: Lab) -> Iterator[None]:
    """When the tests are through, their cases are recorded as studies."""
    yield
    keep_cases(lab, list(request.config.stash[_CASES].values()))


@pytest.fixture
def ask(request: pytest.FixtureRequest, lab: Lab, _kept_cases: None) -> Callable[..., Answer]:
    """Asks the prompt's candidate: `ask(example)`, or `ask(ticket="...")`. Each answer is recorded,
    and an equal question is answered from what is recorded. Of a test of `by_example` the outcome
    is recorded too, as the score of a study that has the test's name.

    Without a named prompt it asks the only one of the registry. Past `--promptops-budget` a test
    that would need a call is skipped, with the reason.
    """
    from .under_test import PromptUnderTest

    declared = PromptUnderTest.of(request.node, lab, alone=True)
    version, offline = declared.candidate(), request.config.getoption("--promptops-offline")
    if offline:
        lab.project.models.ask_nothing()
    budget: float | None = request.config.getoption("--promptops-budget")
    case = TestedExample.of(request.node)
    answers = request.config.stash[_ANSWERS]
    if case is not None:
        case.version = version
        request.config.stash[_CASES][request.node.nodeid] = case
        answers.look_up(version, case.dataset)

    def answer(example: Example | Mapping[str, Any] | None = None, **values: Any) -> Answer:
        inputs: Any = getattr(example, "inputs", example) if example is not None else {}
        named = values_of(version, {**inputs, **values})
        if case is not None and (known := answers.of(version, named)) is not None:
            case.answer = known
            return known
        if offline and answers.read(version, [named]) == []:
            pytest.skip(f"{version.label} has no recorded answer to this example: offline")
        past = budget is not None and declared.spent(_BEGAN) >= budget
        if past and answers.read(version, [named]) == []:
            pytest.skip(f"the budget of {budget:g} USD is spent: --promptops-budget")
        text = answers.ask(version, named)
        if case is not None:
            case.answer = text
        return text

    return answer


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """As `pytest_runtest_call`, for a fixture that compares."""
    with _comparing(item):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """A test that compares is skipped, with the reason, while the environment serves the newest
    version.
    """
    with _comparing(item):
        yield


@contextmanager
def _comparing(item: pytest.Item) -> Iterator[None]:
    try:
        yield
    except NothingToCompare:
        in_order, why = item.stash.get(_ALONE, (False, ""))
        if in_order:
            pytest.skip(why)
        if why:
            raise pytest.UsageError(why) from None
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What became of a case; a failing one shows the answer and its difference from the golden
    answer.
    """
    report = yield
    case = item.config.stash[_CASES].get(item.nodeid)
    if case is not None and report.when == "call" and not report.skipped:
        why = call.excinfo.exconly(tryshort=True) if call.excinfo is not None else ""
        case.failed = (why or "failed")[:_REASON] if report.failed else ""
        if report.failed and case.answer is not None:
            report.sections.append(("Answer", case.answered()))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The verdict of each study, once."""
    sentences = {
        (report.nodeid, str(each[1])): None
        for reports in terminalreporter.stats.values()
        for report in reports
        if hasattr(report, "user_properties")
        for each in report.user_properties
        # other plugins leave what they like there
        if isinstance(each, (tuple, list)) and len(each) == 2 and each[0] == _SENTENCES
    }
    if sentences:
        terminalreporter.section("promptops")
        for test, sentence in sentences:
            terminalreporter.write_line(f"{test}: {sentence}")

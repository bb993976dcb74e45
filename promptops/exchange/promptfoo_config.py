"""A promptfoo configuration: prompts x providers as versions, tests and scenarios as examples,
their assertions as checks of the row.

OpenAI's hosted Evals exports the same form. Code (JavaScript, Python, transforms), judges and
weights are listed with their line, never run and never dropped.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..dataset.example import Example
from ..errors import DatasetError, TemplateError, VersionError
from ..version import PromptVersion
from .chat_text import model_of, settings_of, slug
from .imported import Imported, ImportedVersion, Left
from .promptfoo_checks import translated
from .promptfoo_files import (
    PromptfooPrompt,
    csv_tests,
    file_value,
    over,
    prompts_in,
    provider_of,
    test_rows,
)
from .yaml_lines import Lined

__all__ = ["is_config", "is_test_table", "read_config", "read_test_table"]

_MOST_TESTS = 50_000
_HANDLED = frozenset(
    ("prompts", "providers", "targets", "tests", "scenarios", "defaultTest", "description")
)
_QUIET = frozenset(
    (
        *("$schema", "assertionTemplates", "outputPath", "sharing", "tags", "env", "metadata"),
        *("evaluateOptions", "commandLineOptions", "writeLatestResults"),
    )
)


def is_config(value: object) -> bool:
    """Whether a YAML or JSON value is a promptfoo configuration."""
    return (
        isinstance(value, dict)
        and "prompts" in value
        and bool({"providers", "targets", "tests", "scenarios", "defaultTest"} & set(value))
    )


def is_test_table(header: list[str]) -> bool:
    """Whether a CSV header is that of a promptfoo test table."""
    return any(re.fullmatch(r"__expected\d*", name.strip()) for name in header)


def read_test_table(text: str, path: Path) -> Imported:
    """The rows of a promptfoo test table; `__expected` is an assertion, never a golden answer."""
    tests = [*csv_tests(text, path.name)]
    lines: dict[tuple[str | int, ...], int] = {
        ("tests", index): index + 2 for index in range(len(tests))
    }
    source = Lined({"prompts": [], "tests": tests}, lines)
    return replace(_Config(source, path).imported(), form="promptfoo tests")


def read_config(source: Lined, path: Path) -> Imported:
    """All that a configuration holds. Raises DatasetError if its tests cannot be read."""
    return _Config(source, path).imported()


@dataclass(slots=True)
class _Config:
    source: Lined
    path: Path
    left: list[Left] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    judged: dict[tuple[str | int, ...], tuple[str, bool]] = field(default_factory=dict)

    @property
    def value(self) -> dict[str, Any]:
        found: dict[str, Any] = self.source.value
        return found

    def leave(self, what: str, reason: str, nearest: str, *path: str | int) -> None:
        line = self.source.line(*path)
        self.left.append(Left(self.path.name, line, what, reason, nearest))

    def imported(self) -> Imported:
        name = slug(str(self.value.get("description") or ""), slug(self.path.stem, "promptfoo"))
        for key in self.value:
            if key not in _HANDLED and key not in _QUIET:
                self.leave(f"{key}:", "it configures promptfoo itself", "", key)
        versions = tuple(self._versions(name))
        examples = tuple(self._examples())
        if any(example.checks for example in examples):
            self.notes.append("the tests' assertions are each row's checks: score with checks().")
        return Imported(
            "promptfoo config",
            name,
            versions,
            examples,
            (),
            tuple(self.left),
            tuple(self.notes),
            tuple(self._by_type()),
        )

    def _by_type(self) -> Iterator[tuple[str, int, int]]:
        counts: dict[str, list[int]] = {}
        for kind, translated_all in self.judged.values():
            counts.setdefault(kind, [0, 0])[0 if translated_all else 1] += 1
        for kind, (done, left) in sorted(counts.items()):
            yield kind, done, left

    # -- versions

    def _versions(self, name: str) -> Iterator[ImportedVersion]:
        providers = self._providers()
        listed = self.value.get("prompts")
        entries: list[object] = listed if isinstance(listed, list) else [listed]
        prompts: list[PromptfooPrompt] = []
        self._bounded(len(entries))
        for index, entry in enumerate(entries):
            try:
                prompts += prompts_in(entry, self.path.parent)
            except (TemplateError, DatasetError) as error:
                nearest = "PromptVersion(messages)"
                self.leave("a prompt", str(error).rstrip("."), nearest, "prompts", index)
        self._bounded(len(prompts) * len(providers))
        for prompt in prompts:
            for model, settings in providers:
                label = f"{prompt.label}, {model}" if model and len(providers) > 1 else prompt.label
                try:
                    version = PromptVersion(prompt.messages, model=model, settings=settings)
                except (TemplateError, VersionError) as error:
                    self.leave(f"prompt {prompt.label!r}", str(error).rstrip("."), "", "prompts")
                    break
                yield ImportedVersion(name, label, version)

    def _providers(self) -> list[tuple[str | None, dict[str, object]]]:
        key = "providers" if "providers" in self.value else "targets"
        listed: object = self.value.get(key) or []
        out: list[tuple[str | None, dict[str, Any]]] = []
        for index, entry in enumerate(listed if isinstance(listed, list) else [listed]):
            entry, config = provider_of(entry)
            if not isinstance(entry, str) or entry.startswith(("file:", "exec:", "python:")):
                what = f"provider {str(entry)[:60]!r}"
                self.leave(what, "it is code of yours", "a target: target=function", key, index)
                continue
            settings, dropped = settings_of(config)
            for setting in dropped:
                why = "it says how the provider is reached, and may be secret"
                self.leave(f"{entry}: {setting}", why, "Lab(models={...})", key, index)
            for setting in [name for name, item in settings.items() if _is_file(item)]:
                del settings[setting]
                self.leave(f"{entry}: {setting}", "it is another file", "settings", key, index)
            out.append((model_of(entry), settings))
        return out or [(None, {})]

    # -- examples

    def _examples(self) -> Iterator[Example]:
        seen: dict[str, int] = {}
        asked = 0
        for count, (test, path) in enumerate(self._tests(), 1):
            for values in self._combinations(test, path):
                asked += 1
                self._bounded(asked)
                text = str(test.get("description") or f"test-{count}")
                nth = seen[text] = seen.get(text, 0) + 1
                name = text if nth == 1 else f"{text}-{nth}"
                checks, tags = self._checks(test, values, path)
                yield Example(name, values, checks=checks, tags=tags)

    def _bounded(self, count: int) -> None:
        if count > _MOST_TESTS:
            raise DatasetError(
                f"{self.path.name} expands to more than {_MOST_TESTS:,} prompts or tests; split it."
            )

    def _tests(self) -> Iterator[tuple[dict[str, object], tuple[str | int, ...]]]:
        default = self.value.get("defaultTest")
        default = default if isinstance(default, dict) else {}
        for test, path in self._listed(self.value.get("tests"), ("tests",)):
            yield over(default, test), path
        for index, scenario in enumerate(self.value.get("scenarios") or []):
            if not isinstance(scenario, dict):
                self.leave("a scenario", "it is another file", "", "scenarios", index)
                continue
            base: tuple[str | int, ...] = ("scenarios", index)
            settings = scenario.get("config") or [{}]
            tests = list(self._listed(scenario.get("tests"), (*base, "tests")))
            settings = settings if isinstance(settings, list) else [settings]
            self._bounded(len(settings) * len(tests))
            for setting in settings:
                for test, path in tests:
                    yield over(default, over(setting, test)), path

    def _listed(
        self, tests: object, path: tuple[str | int, ...]
    ) -> Iterator[tuple[dict[str, Any], tuple[str | int, ...]]]:
        self._bounded(len(tests) if isinstance(tests, list) else 1)
        for index, test in enumerate(tests if isinstance(tests, list) else [tests]):
            place = (*path, index) if isinstance(tests, list) else path
            if test is None:
                continue
            if isinstance(test, dict) and ("vars" in test or "assert" in test):
                yield test, place
                continue
            try:
                for row in test_rows(test, self.path.parent):
                    yield row, place
            except DatasetError as error:
                what = f"tests {str(test)[:60]!r}"
                self.leave(what, str(error).rstrip("."), "Dataset.read(...)", *place)

    def _combinations(
        self, test: Mapping[str, object], path: tuple[str | int, ...]
    ) -> Iterator[dict[str, object]]:
        """promptfoo asks one test for each combination of the values that are lists."""
        given = test.get("vars")
        given = given if isinstance(given, dict) else {}
        options = test.get("options")
        apart = not (isinstance(options, dict) and options.get("disableVarExpansion"))
        columns: dict[str, list[Any]] = {}
        for name, value in given.items():
            if _is_file(value):
                found = file_value(value, self.path.parent)
                if found is None:
                    why = "it is code, or a file that is not there"
                    self.leave(f"variable {name}: {value}", why, "", *path, "vars", name)
                    continue
                value = found
            columns[name] = value if isinstance(value, list) and apart else [value]
        self._bounded(math.prod(map(len, columns.values())))
        for combination in itertools.product(*columns.values()):
            yield dict(zip(columns, combination, strict=True))

    def _checks(
        self, test: Mapping[str, object], values: Mapping[str, object], path: tuple[str | int, ...]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        found: list[str] = []
        tags: dict[str, None] = {}
        options = test.get("options")
        options = options if isinstance(options, dict) else {}
        wide = str(options.get("transform") or options.get("postprocess") or "")
        if wide:
            default = self.value.get("defaultTest")
            shared = default.get("options") if isinstance(default, dict) else None
            inherited = isinstance(shared, dict) and wide in map(str, shared.values())
            place = ("defaultTest", "options") if inherited else (*path, "options")
            self._once(f"transform {wide[:60]!r}", "it is code", "after(transform, scorer)", place)
        if test.get("threshold") is not None:
            what = f"the test's threshold {test['threshold']}"
            self._once(
                what,
                "a row passes if all its checks hold",
                "weighted(...)",
                (*path, "threshold"),
            )
        if options.get("repeat"):
            self._once("repeat", "repeats belong to the study", "repeats=", (*path, "options"))
        for place, assertion in self._assertions(test, path):
            if not isinstance(assertion, dict):
                self._once("an assertion", "it is not a map", "", place)
                continue
            transform = str(assertion.get("transform") or wide)
            done = translated(_resolved(assertion, self.path.parent), list(values), transform)
            kind = str(assertion.get("type"))
            before = self.judged.get(place, (kind, True))[1]
            self.judged[place] = (kind, before and bool(done.checks))
            if done.checks:
                found += done.checks
                if isinstance(assertion.get("metric"), str):
                    tags[assertion["metric"]] = None
            else:
                self._once(_shown(assertion), done.reason, done.nearest, place)
            if done.checks and assertion.get("weight") not in (None, 1):
                what = f"weight {assertion['weight']} of {assertion.get('type')}"
                self._once(
                    what, "checks of a row weigh the same", "weighted((a, 2), (b, 1))", place
                )
        return tuple(dict.fromkeys(found)), tuple(tags)

    def _assertions(
        self, test: Mapping[str, Any], path: tuple[str | int, ...]
    ) -> Iterator[tuple[tuple[str | int, ...], object]]:
        """Each assertion with its place; those of `defaultTest` come first."""
        default = self.value.get("defaultTest")
        shared = default.get("assert") if isinstance(default, dict) else None
        before = len(shared) if isinstance(shared, list) else 0
        for index, assertion in enumerate(test.get("assert") or []):
            place = (*path, "assert", index - before)
            if index < before:
                place = ("defaultTest", "assert", index)
            assertion = self._referenced(assertion)
            inner = assertion.get("assert") if isinstance(assertion, dict) else None
            if isinstance(inner, list) and assertion.get("threshold") is None:
                for part, found in enumerate(inner):
                    yield (*place, "assert", part), self._referenced(found)
            else:
                yield place, assertion

    def _referenced(self, assertion: object) -> Any:
        reference = assertion.get("$ref") if isinstance(assertion, dict) else None
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return assertion
        found: Any = self.value
        for part in reference[2:].split("/"):
            found = found.get(part) if isinstance(found, dict) else None
        return assertion if found is None else found

    def _once(self, what: str, reason: str, nearest: str, path: tuple[str | int, ...]) -> None:
        """The same thing of the same line is named once, however many rows share it."""
        found = Left(self.path.name, self.source.line(*path), what, reason, nearest)
        if found not in self.left:
            self.left.append(found)


def _is_file(value: object) -> bool:
    return isinstance(value, str) and value.startswith("file://")


def _resolved(assertion: Mapping[str, object], folder: Path) -> dict[str, object]:
    value = assertion.get("value")
    if isinstance(value, str) and _is_file(value):
        found = file_value(value, folder)
        return dict(assertion) if found is None else {**assertion, "value": found}
    return dict(assertion)


def _shown(assertion: Mapping[str, object]) -> str:
    value = assertion.get("value")
    text = "" if value is None else f" {str(value)[:80]!r}"
    return f"assertion {assertion.get('type', assertion)}{text}"

"""What a study file declares, checked before anything is asked, and what a CI server shows of the
outcome.

The keys are a closed list; a wrong one is named with what there is.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as Xml

from ..errors import StudyError
from ..plain_file import read_plain
from ..policy import Policy
from ..scorers.grammar import FORM, scorer_from
from .declared_shapes import check_shapes

if TYPE_CHECKING:
    from ..lab import Dataset, Lab, Study
    from ..lab.comparison import Comparison
    from ..study.estimate import Estimate

__all__ = [
    "ROLES",
    "Declared",
    "check_format",
    "document_of",
    "junit_document",
    "junit_suite",
    "xml_text",
    "version_named",
]

_OPTIONS = ("concurrency", "budget_usd", "budget_tokens", "timeout_s", "deadline_s", "stop_when")
ROLES = ("inputs", "expected", "id", "tags", "cluster", "split")


def document_of(path: Path, command: str) -> dict[str, Any]:
    """What the TOML file holds.

    Raises:
        StudyError: it cannot be read, or is not TOML; `command` is the one whose help shows one.
    """
    try:
        return tomllib.loads(read_plain(path).decode().replace("\r\n", "\n"))
    except OSError as error:
        raise StudyError(
            f"{path} cannot be read ({error.strerror}); pass the path of a study file (TOML)."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(
            f"{path.name} is not TOML ({error}); `promptops {command} --help` shows one."
        ) from None


@dataclass(frozen=True, slots=True)
class Declared:
    """A study file. where: its folder, from which the dataset's path counts; dataset: its path, or
    task -> path for several, a task each; columns: roles of the
    dataset's columns; models: on which each version is asked instead of its own; policy: None for
    the one in the registry; format: of the file, 1 if it names none (release 0.1, where the first
    text of `similar_to` and its like was a column); optimize: for `promptops optimize` alone.
    """

    where: Path
    prompt: str
    candidate: str
    baseline: str
    dataset: str | Mapping[str, str]
    scorers: Sequence[Any]
    split: str | None = None
    repeats: int = 1
    name: str | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    policy: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    optimize: Mapping[str, object] = field(default_factory=dict)
    format: int = 1

    @classmethod
    def read(cls, path: Path) -> Declared:
        """The file's declaration. Raises StudyError, which names the key at fault."""
        document = document_of(path, "evaluate")
        known = [one.name for one in fields(cls) if one.name != "where"]
        for key in document:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"its keys are {', '.join(known)}"
                raise StudyError(f"{path.name} has the key {key!r}; {hint}")
        for key in ("prompt", "candidate", "baseline", "dataset", "scorers"):
            if not document.get(key):
                raise StudyError(
                    f"{path.name} lacks {key!r}; a study file names prompt, candidate, baseline,"
                    " dataset and scorers."
                )
        check_format(path, document)
        check_shapes(path, document)
        _only(path, document, "columns", ROLES)
        _only(path, document, "options", _OPTIONS)
        plain = {key: str(document[key]) for key in ("prompt", "candidate", "baseline")}
        tasks = document["dataset"]
        data = {k: str(v) for k, v in tasks.items()} if isinstance(tasks, dict) else str(tasks)
        return cls(path.resolve().parent, **{**document, **plain, "dataset": data})

    def lab(self, start: Path, *, named: bool) -> Lab:
        """The project's lab: at `start` where it was named, else the nearest folder upwards that
        has a registry.
        """
        from ..lab import Lab

        return Lab(self.home(start, named=named))

    def home(self, start: Path, *, named: bool) -> Path:
        """The project's folder, as `lab` finds it. Raises StudyError if it does not exist."""
        folders = [start] if named else [start, *start.parents]
        home = next((folder for folder in folders if (folder / "promptops.json").is_file()), None)
        if home is None:
            raise StudyError(
                f"there is no promptops.json in {start}{'' if named else ' or above it'}; run it in"
                " the project, or pass --root."
            )
        return home

    def estimate(self, lab: Lab, *, batch: bool = False) -> Estimate:
        """What running it would take, by batches where `batch` says so."""
        versions, data, scorers = self._parts(lab)
        return lab.estimate(versions, data, scorers, repeats=self.repeats, batch=batch)

    def evaluate(self, lab: Lab, batch: bool | str = False) -> Study:
        """Evaluate; by batches where `batch` says so (as in `Lab.evaluate`). What was answered
        before is not asked again.
        """
        versions, data, scorers = self._parts(lab)
        options = {"name": self.name, "batch": batch, **self.options}
        return lab.evaluate(versions, data, scorers, repeats=self.repeats, **options).wait()

    def compare(self, lab: Lab, study: Study) -> Comparison:
        """Compare under the policy."""
        versions, _, _ = self._parts(lab)
        if self.policy is None:
            return study.compare(candidate=versions[1], baseline=versions[0])
        policy = Policy.from_document(self.policy)
        comparison = study.compare(
            candidate=versions[1],
            baseline=versions[0],
            primary=policy.primary or study.record.scorer_names[0],
        )
        comparison.policy = policy
        return comparison

    def _parts(self, lab: Lab) -> tuple[list[Any], Dataset, list[Any]]:
        from ..lab import Dataset

        policy = Policy.from_document(self.policy) if self.policy is not None else None
        scorers = [scorer_from(one, form=self.format) for one in self.scorers]
        names = [scorer.name for scorer in scorers]
        if policy is not None and policy.primary is not None and policy.primary not in names:
            raise StudyError(
                f"the policy's primary {policy.primary!r} is not among the scorers"
                f" {', '.join(names)}."
            )
        if isinstance(self.dataset, str):
            data = Dataset.read(self.where / self.dataset, **self.columns)
        else:
            data = Dataset.of_tasks(
                {t: Dataset.read(self.where / f, **self.columns) for t, f in self.dataset.items()}
            )
        data = data.split(self.split) if self.split is not None else data
        old, new = (
            version_named(lab, self.prompt, self.baseline),
            version_named(lab, self.prompt, self.candidate),
        )
        if old == new:
            raise StudyError(
                f"candidate {self.candidate!r} and baseline {self.baseline!r} are the same version"
                f" {new.label}; there is nothing to compare."
            )
        return [old, new], data, scorers


def check_format(path: Path, document: Mapping[str, object]) -> None:
    """Whether this release reads the file's format.

    Raises:
        StudyError: `format` is neither left out nor one of the formats up to today's.
    """
    found = document.get("format", 1)
    if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= FORM:
        raise StudyError(
            f"{path.name} has format = {found!r}; this release reads 1 (or no format) and {FORM}:"
            f" write format = {FORM}, or upgrade promptops-toolkit for a later one."
        )


def _only(path: Path, document: Mapping[str, Any], table: str, known: Sequence[str]) -> None:
    if unknown := sorted(set(document.get(table, {})) - set(known)):
        raise StudyError(f"{path.name}: [{table}] has {unknown[0]!r}; it takes {', '.join(known)}.")


def version_named(lab: Lab, prompt: str, named: str) -> Any:
    """A saved version by number, label or id; of an environment: what serves there."""
    if named.startswith("env:"):
        serving = lab.project.registry.serving(prompt, named[4:])
        if serving is None:
            raise StudyError(
                f'{prompt} serves nothing in {named[4:]!r}; name a version, as in "v1".'
            )
        return lab.prompt(prompt)[serving.id]
    return lab.prompt(prompt)[named]


def junit_suite(comparison: Comparison, name: str) -> Xml.Element:
    """A test case for each demand of the policy, failed if it does not hold; and one for each
    example that got worse, marked as skipped: it fails nothing by itself, and is there to be read.
    """
    verdict = comparison.verdict
    suite = Xml.Element("testsuite", name=xml_text(name), errors="0")
    failures = 0
    for check in verdict.checks:
        case = Xml.SubElement(suite, "testcase", classname="policy", name=xml_text(check.name))
        if check.status != "pass":
            failures += 1
            Xml.SubElement(
                case, "failure", message=xml_text(check.text), type=check.status
            ).text = xml_text(check.next or check.text)
        else:
            Xml.SubElement(case, "system-out").text = xml_text(check.text)
    flips = comparison.flips()
    lost = flips[flips["gain"] < 0]
    for example, gain in zip(lost["example_id"], lost["gain"], strict=True):
        case = Xml.SubElement(suite, "testcase", classname="examples", name=xml_text(example))
        Xml.SubElement(
            case,
            "skipped",
            message=xml_text(f"got worse by {-gain:.3g} on {comparison.primary_name}"),
        )
    suite.set("tests", str(len(verdict.checks) + len(lost)))
    suite.set("failures", str(failures))
    suite.set("skipped", str(len(lost)))
    Xml.SubElement(suite, "system-out").text = xml_text(
        "\n".join((comparison.statement(), *comparison.notes))
    )
    return suite


def junit_document(suites: Sequence[Xml.Element]) -> str:
    """Suites as the text of one JUnit file."""
    root = Xml.Element("testsuites")
    root.extend(suites)
    Xml.indent(root)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"
    )


def xml_text(text: object) -> str:
    """Text without the characters that XML 1.0 cannot hold."""
    return "".join(
        (
            c
            if c in "\t\n\r" or " " <= c < "\ud800" or "\ue000" <= c <= "\ufffd" or c > "\uffff"
            else "\ufffd"
        )
        for c in str(text)
    )

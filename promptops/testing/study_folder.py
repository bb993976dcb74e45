"""Many study files as one check: one table, one JUnit file, one budget, and the worst exit code.

A file that cannot run is reported and does not keep the others from running.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as Xml

from ..errors import PromptOpsError, StudyError
from ..markup import count, markdown
from ..study.queries.call_figures import Began, made_since
from .study_file import Declared, junit_document, junit_suite, xml_text

if TYPE_CHECKING:
    from ..lab import Lab, Study
    from ..lab.comparison import Comparison

__all__ = ["Evaluated", "StudyFolder", "junit_of", "markdown_of", "since_last", "study_files"]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What one file came to. comparison, study: None if it could not run; of one that waits in
    batches only the comparison is; fault: why; since: what changed since the last study of this
    prompt, "" if it was not asked for; env: the environment that it is compared with; lacking:
    it was to run offline, and answers are not recorded.
    """

    file: str
    comparison: Comparison | None = None
    study: Study | None = None
    fault: str = ""
    since: str = ""
    env: str = ""
    lacking: bool = False

    @property
    def exit_code(self) -> int:
        """0 it holds, 1 it does not, 2 it could not run, 3 it waits for answers: handed in as
        batches, or not recorded if it was to run offline.
        """
        if self.comparison is None:
            return 2 if self.study is None and not self.lacking else 3
        return 0 if self.comparison.verdict.decision == "promote" else 1

    def row(self) -> dict[str, Any]:
        """Its line of the table."""
        if self.comparison is None or self.study is None:
            why = "could not run" if self.study is None else "handed in"
            why = "not recorded" if self.lacking else why
            return {"study": self.file, "decision": why, "gain": None, "n": None}
        figures = self.comparison.primary
        held = {"promote": "holds", "reject": "does not hold", "inconclusive": "not shown"}
        return {
            "study": self.file,
            "decision": held[self.comparison.verdict.decision],
            "gain": figures.gain,
            "n": figures.n,
        }


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """Study files, in order of name. budget_usd: of all of them together; batch: as in
    `Lab.evaluate`; offline: nothing is asked.
    """

    files: Sequence[Path]
    budget_usd: float | None = None
    batch: bool | str = False
    offline: bool = False

    def labs(self, root: Path | None) -> list[tuple[Path, Declared | str, Lab | None]]:
        """Each file with its declaration and its project's lab, or with what is wrong with it."""
        opened: dict[Path, Lab] = {}
        found: list[tuple[Path, Declared | str, Lab | None]] = []
        for path in self.files:
            try:
                declared = Declared.read(path)
                start = root or path.resolve().parent
                home = declared.home(start, named=root is not None)
                if home not in opened:
                    opened[home] = declared.lab(start, named=root is not None)
                    if self.offline:
                        opened[home].project.models.ask_nothing()
                found.append((path, declared, opened[home]))
            except PromptOpsError as error:
                found.append((path, str(error), None))
        return found

    def run(self, root: Path | None, *, since: bool = False) -> Iterator[Evaluated]:
        """Evaluate one after the other; what an earlier one spent is not there for a later one."""
        bill, left = _Bill(), self.budget_usd
        for path, declared, lab in self.labs(root):
            if isinstance(declared, str) or lab is None:
                yield Evaluated(path.name, fault=str(declared))
                continue
            try:
                if self.offline and (calls := declared.estimate(lab).calls):
                    fault = (
                        f"{count(calls, 'answer')} {'is' if calls == 1 else 'are'} not recorded,"
                        " and offline nothing is asked."
                    )
                    yield Evaluated(path.name, fault=fault, lacking=True)
                    continue
                within = _within(declared, left)
                study = within.evaluate(lab, self.batch)
                bill.handed_in(study)
                if study.status == "handed_in":
                    yield Evaluated(path.name, None, study, _handed_in(study))
                else:
                    comparison = within.compare(lab, study)
                    changed = since_last(lab, study, comparison) if since else ""
                    env = _environment(declared, lab)
                    yield Evaluated(path.name, comparison, study, since=changed, env=env)
            except PromptOpsError as error:
                yield Evaluated(path.name, fault=str(error))
            if self.budget_usd is not None:
                left = max(self.budget_usd - bill.of(lab), 0.0)


@dataclass(slots=True)
class _Bill:
    """What the studies of a run have come to. labs: of every project so far, by its store's folder;
    waiting: USD of what was handed in and is not back.
    """

    began: Began = field(default_factory=Began)
    labs: dict[Path, Lab] = field(default_factory=dict)
    waiting: float = 0.0

    def handed_in(self, study: Study) -> None:
        """Count what waits in batches, which is as good as spent."""
        running = study.recorded.running
        if study.status == "handed_in" and running is not None:
            now = running.progress
            self.waiting += max(now.counted_usd - now.cost_usd, 0.0)

    def of(self, lab: Lab) -> float:
        """USD so far, that of this project included; what others ask meanwhile in the same stores
        is not counted.
        """
        self.labs[lab.store.folder] = lab
        moment, ids = self.began.moment, self.began.ids
        return self.waiting + sum(
            made_since(each.store, moment, each.project.prices, ids)[1]
            for each in self.labs.values()
        )


def _environment(declared: Declared, lab: Lab) -> str:
    """The environment that a study is about: the one that its file names, else prod where the
    prompt serves there, else "".
    """
    for side in (declared.baseline, declared.candidate):
        if side.startswith("env:"):
            return side.removeprefix("env:")
    return "prod" if lab.project.registry.serving(declared.prompt, "prod") is not None else ""


def _handed_in(study: Study) -> str:
    """How much of what was handed in is back, and the next step."""
    running = study.recorded.running
    waiting = running.handed_in if running is not None else None
    if waiting is None:
        return "handed in; run the same command again."
    return f"handed in, {waiting.back:,} of {waiting.total:,} back; run the same command again."


def study_files(path: Path) -> list[Path]:
    """The study files of a folder, by name.

    Raises StudyError for a folder without one.
    """
    found = sorted(path.rglob("*.toml"))
    if not found:
        raise StudyError(f"{path} holds no study file; a study is a file that ends in .toml.")
    return found


def junit_of(found: Sequence[Evaluated]) -> str:
    """One suite per file; a file that could not run is an error in its suite."""
    suites = []
    for one in found:
        if one.comparison is not None and one.study is not None:
            name = one.study.name if len(found) == 1 else one.file
            suites.append(junit_suite(one.comparison, name))
            continue
        name = xml_text(one.file)
        suite = Xml.Element("testsuite", name=name, tests="1", errors="1", failures="0")
        case = Xml.SubElement(suite, "testcase", classname="study", name=name)
        Xml.SubElement(case, "error", message=xml_text(one.fault))
        suites.append(suite)
    return junit_document(suites)


def markdown_of(
    found: Sequence[Evaluated], beside: Callable[[Study, Comparison, str], str] | None = None
) -> str:
    """A table of all, then each study as `Comparison.markdown` writes it; of one, just that.

    beside: makes the text below a study's comparison, of both and the environment.
    """
    if len(found) == 1 and found[0].comparison is not None:
        return _told(found[0], beside)
    lines = ["| study | decision | gain | examples |", "| --- | --- | ---: | ---: |"]
    for one in found:
        row = one.row()
        gain = "" if row["gain"] is None else f"{100 * row['gain']:+.1f} points"
        lines.append(
            f"| {markdown(row['study'])} | {row['decision']} | {gain} | {row['n'] or ''} |"
        )
    parts = ["\n".join(lines)]
    for one in found:
        parts.append(f"### {markdown(one.file)}\n\n{_told(one, beside)}")
    return "\n\n".join(parts)


def _told(one: Evaluated, beside: Callable[[Study, Comparison, str], str] | None) -> str:
    """A study's own part."""
    if one.comparison is None:
        return markdown(one.fault)
    parts = [one.comparison.markdown()]
    if beside is not None and one.study is not None:
        parts.append(beside(one.study, one.comparison, one.env))
    return "\n\n".join([*parts, markdown(one.since)] if one.since else parts)


def since_last(lab: Lab, study: Study, comparison: Comparison) -> str:
    """In a sentence: the candidate now against that of the last other study of its prompt."""
    arm = study.record.arm(comparison.candidate.version)
    last = _before(lab, study, arm.prompt)
    if last is None:
        return "Since last: this is the first study of its prompt."
    then = last.record.arms[-1]
    when = f"{last.name} ({last.record.created[:10]})"
    if then.version == arm.version:
        try:
            found = study.since(last, arm.version)
        except PromptOpsError as error:
            return f"Since last, {when}: not comparable: {error}"
        flips = found.flips()
        better, worse = int((flips["gain"] > 0).sum()), int((flips["gain"] < 0).sum())
        if not better and not worse:
            return f"Since last, {when}: {arm.label} gave the same outcomes."
        return (
            f"Since last, {when}: {arm.label} is better on {count(better, 'example')}, worse on"
            f" {worse}."
        )
    try:
        words = lab.compare(candidate=_saved(lab, arm), baseline=_saved(lab, then)).statement()
    except PromptOpsError as error:
        return f"Since last, {when}: not comparable: {error}"
    return f"Since last, {when}: {words}"


def _before(lab: Lab, study: Study, prompt: str) -> Study | None:
    """The newest other study of a prompt that began before this one."""
    for other in lab.studies:
        older = other.record.created < study.record.created
        if other.id != study.id and older and other.record.arms[-1].prompt == prompt:
            return other
    return None


def _saved(lab: Lab, arm: Any) -> object:
    return lab.prompt(arm.prompt)[arm.version]


def _within(declared: Declared, left: float | None) -> Declared:
    """The declaration, with what is left of the common budget if that is less than its own."""
    if left is None:
        return declared
    own = declared.options.get("budget_usd")
    budget = left if own is None else min(left, float(own))
    return replace(declared, options={**declared.options, "budget_usd": budget})

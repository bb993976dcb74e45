"""What changed between two registries, as a reviewer reads it: words, settings, what serves, on
what ground, at what cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import PromptOpsError, RegistryCorrupt
from ..evidence import Evidence
from ..markup import code, count, shorten
from ..markup import markdown as md
from ..policy import Policy
from ..version.diff import VersionDiff
from .chain import cited
from .deployment import DeploymentEntry, of_chain
from .history import SavedEntry, numbers
from .registry_record import policy_in
from .unmarked import unmarked

if TYPE_CHECKING:
    from .document import Document

__all__ = ["PromptChange", "changes", "markdown"]

_NAME = 120  # the longest name that is shown whole
_LONG = 200  # longer text is a code span, which nobody takes for a sentence of our own


@dataclass(frozen=True, slots=True)
class PromptChange:
    """What happened to one prompt.

    versions: (new version, the one before it or None, their diff or None); deployments: new ones
    per environment, oldest first; back: environments that went back -> (from label, to label or
    None); policy: (old, new), None if unchanged;
    faults: what cannot be shown, a sentence each.
    """

    name: str
    versions: tuple[tuple[SavedEntry, SavedEntry | None, VersionDiff | None], ...] = ()
    deployments: tuple[DeploymentEntry, ...] = ()
    back: tuple[tuple[str, str, str | None], ...] = ()
    policy: tuple[Policy, Policy] | None = None
    faults: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.versions or self.deployments or self.back or self.policy or self.faults)


def changes(old: Document, new: Document) -> list[PromptChange]:
    """Every prompt that differs, in order of name."""
    found = [
        _change(
            name,
            old["prompts"].get(name, {"versions": []}),
            new["prompts"].get(name, {"versions": []}),
            _applied(old, new, name),
        )
        for name in sorted(old["prompts"].keys() | new["prompts"].keys())
        if old["prompts"].get(name) != new["prompts"].get(name)
    ]
    return [change for change in found if change]


def markdown(
    old: Document,
    new: Document,
    registry: Path | None = None,
    computed: Callable[[Evidence], Sequence[str]] | None = None,
) -> str:
    """The changes for a pull request. registry: the new file's path, so that evidence beside it is
    read, compared with what the gate asks, and summed up; computed: says which of its figures do
    not follow from its scores.
    """
    lines: list[str] = []
    if old.get("policy") != new.get("policy"):
        before, after = (Policy.from_document(side.get("policy", {})) for side in (old, new))
        lines.append(f"The registry's policy: {_policies(before, after)}")
    for change in changes(old, new):
        lines += (
            ["", f"### {md(change.name)}", *_lines(change, new, registry, computed)]
            if lines
            else [f"### {md(change.name)}", *_lines(change, new, registry, computed)]
        )
    return "\n".join(lines) + "\n" if lines else "No prompt changed.\n"


def _applied(old: Document, new: Document, name: str) -> tuple[Policy, Policy] | None:
    """The policies that applied to a prompt and apply now, if it has or had one of its own: one
    that says nothing still takes the place of the registry's. None if they are equal.
    """
    sides = [(side, side["prompts"].get(name, {})) for side in (old, new)]
    if not any("policy" in prompt for _, prompt in sides):
        return None
    before, after = (policy_in(side, prompt) for side, prompt in sides)
    return (before, after) if before != after else None


def _change(
    name: str,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    policy: tuple[Policy, Policy] | None,
) -> PromptChange:
    faults: list[str] = []
    entries = [SavedEntry(name, entry) for entry in new["versions"]]
    had = {entry["id"]: entry for entry in old["versions"]}
    versions = []
    for index, entry in enumerate(entries):
        before = entries[index - 1] if index else None
        try:
            if entry.id not in had:
                now = entry.version
                versions.append((entry, before, before.version.diff(now) if before else None))
            elif had[entry.id] != new["versions"][index]:
                entry.version  # noqa: B018 - reworded notes are fine, edited content is reported
        except RegistryCorrupt as error:
            faults.append(str(error))
    served = {
        id_
        for found in old.get("environments", {}).values()
        for link in found["deployments"]
        for id_ in cited(link)
    }
    faults += [
        f"the version {id_[:11]} is gone, which no change may do"
        if id_ in served
        else f"the version {id_[:11]}, which no deployment names, is no longer in the file; it was"
        " discarded, or deleted by hand"
        for id_ in sorted(had.keys() - {entry.id for entry in entries})
    ]
    deployments, back = _environments(name, old, new)
    return PromptChange(
        name, tuple(versions), tuple(deployments), tuple(back), policy, tuple(faults)
    )


def _environments(
    name: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> tuple[list[DeploymentEntry], list[tuple[str, str, str | None]]]:
    numbered = {**numbers(old), **numbers(new)}
    deployments: list[DeploymentEntry] = []
    back = []
    was, now = old.get("environments", {}), new.get("environments", {})
    for env in sorted(was.keys() | now.keys()):
        before = of_chain(name, env, was[env], numbered) if env in was else ()
        after = of_chain(name, env, now[env], numbered) if env in now else ()
        digests = [link.digest for link in after]
        if before and before[-1].digest not in digests:
            back.append((env, before[-1].label, after[-1].label if after else None))
        else:
            deployments += after[digests.index(before[-1].digest) + 1 if before else 0 :]
    return deployments, back


def _lines(
    change: PromptChange,
    new: Document,
    registry: Path | None,
    computed: Callable[[Evidence], Sequence[str]] | None,
) -> Iterator[str]:
    for entry, before, diff in change.versions:
        by = f" by {md(shorten(entry.author, _NAME))}" if entry.author else ""
        note = f": {_free(entry.note)}" if entry.note else ""
        if before is None or diff is None:
            yield f"- **v{md(entry.number)}** is new{by}{note}: {_first(entry)}"
            continue
        yield f"- **v{md(entry.number)}**{by}{note}, from v{md(before.number)}:"
        yield from (f"  {line}" for line in diff.markdown().split("\n"))
    for link in change.deployments:
        yield f"- {_deployed(link)}"
        if registry is not None and link.evidence is not None:
            yield f"  - {_evidence(registry, link.evidence)}"
            faults = _unborne(registry, new, link, computed)
            yield from (f"  - ⚠ not marked as forced: {_free(fault)}" for fault in faults)
        yield from (f"  - forced past: {_free(point)}" for point in link.unmet)
    for env, was, now in change.back:
        yield (
            f"- **{md(env)}** goes back from {md(was)} to {md(now or 'nothing')}: its history was"
            " cut or replaced, not rolled back."
        )
    if change.policy:
        yield f"- policy: {_policies(*change.policy)}"
    yield from (f"- ⚠ {_free(fault)}" for fault in change.faults)


def _first(entry: SavedEntry) -> str:
    messages = entry.version.template
    length = sum(len(str(message.get("content") or "")) for message in messages)
    model = f", model {md(shorten(entry.version.model, _NAME))}" if entry.version.model else ""
    takes = md(", ".join(map(repr, entry.version.variables)) or "no variables")
    return f"{len(messages)} messages, {length:,} characters{model}, takes {takes}"


def _deployed(link: DeploymentEntry) -> str:
    by = f" by {md(shorten(link.author, _NAME))}{f' ({_free(link.reason)})' if link.reason else ''}"
    mark = (
        ", **forced**"
        if link.forced
        else ""
        if link.evidence or link.kind == "rollback"
        else ", without evidence"
    )
    if link.canary:
        return (
            f"**{md(link.env)}** gives v{md(link.canary.number)} to {link.canary.percent:g} %, the"
            f" rest stays on {md(link.label)}{by}{mark}"
        )
    verb = "goes back to" if link.kind == "rollback" else "serves"
    return f"**{md(link.env)}** {verb} {md(link.label)}{by}{mark}"


def _evidence(registry: Path, cited: str) -> str:
    try:
        evidence = Evidence.read(registry, cited)
    except RegistryCorrupt as error:
        return f"⚠ {_free(error)}"
    wording = [
        f"verdict **{md(evidence.decision)}** on {count(len(evidence.examples), 'example')} of"
        f" {md(evidence.dataset.get('name', 'a dataset'))}"
    ]
    for name, sides in evidence.scores.items():
        wording.append(f"{md(name)} {_pair(sides, '{:.3f}', higher=True)}")
    if "cost" in evidence.metrics:
        wording.append(f"cost {_pair(evidence.metrics['cost'], '{:.6f}')} USD an example")
    return "; ".join(wording)


def _unborne(
    registry: Path,
    new: Document,
    link: DeploymentEntry,
    computed: Callable[[Evidence], Sequence[str]] | None,
) -> Iterator[str]:
    """Why a deployment that is not marked as forced does not rest on the evidence that it cites."""
    if link.forced or link.kind == "rollback":
        return
    try:
        evidence = Evidence.read(registry, str(link.evidence))
        yield from () if _goes_on(new, link) else unmarked(new, link, evidence)
        yield from computed(evidence) if computed is not None else ()
    except RegistryCorrupt:
        return  # another line reports it: that of the evidence, or of the version
    except PromptOpsError as error:
        yield str(error)


def _goes_on(new: Document, link: DeploymentEntry) -> bool:
    """Whether it widens or finishes a canary on what that started with: the gate was asked then,
    under the policy of that time.
    """
    prompt = new["prompts"][link.prompt]
    chain = of_chain(link.prompt, link.env, prompt["environments"][link.env], numbers(prompt))
    before = next((each for each in chain if each.position == link.position - 1), None)
    brought = link.canary.id if link.canary is not None else link.id
    if before is None or before.canary is None:
        return False
    return before.canary.id == brought and before.evidence == link.evidence


def _pair(sides: Mapping[str, Sequence[float | None]], form: str, *, higher: bool = False) -> str:
    """Mean of the baseline and of the candidate over what both have, as "old → new".

    higher: a higher mean is better, and one that fell is marked.
    """
    candidate, baseline = sides["candidate"], sides.get("baseline")
    if baseline is None:
        known = [value for value in candidate if value is not None]
        return form.format(sum(known) / len(known)) if known else "unknown"
    pairs = [
        (new, old)
        for new, old in zip(candidate, baseline, strict=True)
        if new is not None and old is not None
    ]
    if not pairs:
        return "unknown"
    new, old = (sum(side) / len(pairs) for side in zip(*pairs, strict=True))
    fell = " (**fell**)" if higher and new < old else ""
    return f"{form.format(old)} → {form.format(new)}{fell}"


def _policies(old: Policy, new: Policy) -> str:
    before, after = old.document(), new.document()
    names = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    wording = [
        f"{code(name)}: {_free(before.get(name, 'default'))} → {_free(after.get(name, 'default'))}"
        for name in names
    ]
    return ", ".join(wording) or "unchanged"


def _free(text: object) -> str:
    """Text that somebody was free to write: a note, a reason, a value."""
    return md(text) if len(str(text)) <= _LONG else code(text)

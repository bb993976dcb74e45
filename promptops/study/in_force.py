"""What a verdict will need, before anything is paid: how alpha is shared, and what was tried before
on the same examples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..analysis import words
from ..policy import Policy
from .copies import copies_in_design
from .design import StudyDesign
from .judgements import Ahead, tried_ahead
from .like_data import studies_of_like_data
from .project import Project
from .queries.judged_before import studies_asking_these

if TYPE_CHECKING:
    from ..dataset.dataset import Dataset

__all__ = ["in_force", "planned_in_force", "shared_alpha"]


def in_force(
    project: Project,
    drawn: StudyDesign,
    policy: Policy,
    finalists: Sequence[str],
    known: Mapping[str, Mapping[str, str | None]],
) -> tuple[str, ...]:
    """Sentences on what a promotion out of this study will need; () for a study of one version.

    Args:
        project: whose studies are looked through.
        drawn: the study.
        policy: that will judge it.
        finalists: ids of the versions that a plan names; empty without one.
        known: version -> reuse key of each of its questions -> the run that answers it, if any.
    """
    arms = list(dict.fromkeys(arm.id for arm in drawn.arms))
    if len(arms) < 2 or not drawn.scorers:
        return ()
    labels = {arm.id: arm.label for arm in drawn.arms}
    serving = project.registry.serving(drawn.prompt, "prod") if _known(project, drawn) else None
    baseline = serving.id if serving is not None and serving.id in labels else arms[0]
    named = [version for version in finalists if version in labels and version != baseline]
    field = named or [version for version in arms if version != baseline]
    n = copies_in_design(drawn).distinct
    record = drawn.record()
    primary = policy.primary or record.primary
    runs = {
        version: [run for run in found.values() if run is not None]
        for version, found in known.items()
        if found and None not in found.values()
    }
    keys = {version: list(found) for version, found in known.items()}
    asked = Ahead(list(drawn.dataset), keys, field, runs)
    out = [f"On {words.count(n, 'distinct example')}, {shared_alpha(policy, primary, len(field))}"]
    for version in field:
        tried = tried_ahead(project.store, record, (version, baseline), primary, asked)
        if tried.needed(policy.alpha) is not None:
            out.append(f"{labels[version]}: {tried.statement(policy.alpha, n)}")
    return tuple(out)


def planned_in_force(
    project: Project, document: Mapping[str, object], dataset: Dataset, finalists: int
) -> tuple[str, ...]:
    """The same of a plan, whose versions may not be made yet: how alpha is shared, and how many
    candidates were judged on these examples against what serves in prod.
    """
    prompt = str(document["prompt"])
    policy = Policy.from_document(document["policy"])  # type: ignore[arg-type]
    out = [f"For a promotion, {shared_alpha(policy, str(policy.primary), max(finalists, 1))}"]
    registry = project.registry
    serving = registry.serving(prompt, "prod") if prompt in registry.names() else None
    if serving is not None:
        prints, store = [example.fingerprint for example in dataset], project.store
        like, _ = studies_of_like_data(store, dataset.fingerprint, [serving.id], dataset)
        rows = studies_asking_these(store, serving.id, (), prints, like)
        before = len({version for _, _, version, _, _ in rows} - {serving.id})
        if before:
            place = before + max(finalists, 1)
            least = words.number(place * (place - 1) / policy.alpha)
            out.append(
                f"{words.count(before, 'candidate')} against {serving.label} on these examples"
                f" before, known to this store: a further one needs E of {least} or more, or rows"
                " that no earlier study asked."
            )
    return tuple(out)


def shared_alpha(policy: Policy, primary: str, candidates: int) -> str:
    """How the policy's alpha is used, as the second half of a sentence."""
    share = policy.alpha / candidates
    one = {
        "better": f"p of {words.number(share)} or less on {primary}",
        "not_worse": f"the one-sided {100 * (1 - share):.4g} % bound of {primary} above"
        f" -{words.points(policy.margin).lstrip('+')}",
        "cheaper": f"{primary} not worse and p of {words.number(share)} or less on cost",
    }[policy.goal]
    if candidates == 1:
        return f"one candidate has all of alpha: {one}, one-sided."
    return f"{candidates} candidates share alpha by Holm: the best one needs {one}, one-sided."


def _known(project: Project, drawn: StudyDesign) -> bool:
    return bool(drawn.prompt) and drawn.prompt in project.registry.names()

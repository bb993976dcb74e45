"""From stored runs to comparisons: within one study, or over the latest studies of two versions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..analysis.arms import Arm
from ..analysis.compare import Comparison as Facts
from ..analysis.compare import Grounds, compare
from ..errors import StudyError
from ..lab.comparison import Comparison
from ..policy import Policy
from .design import as_version
from .early_stopping import early, order, part
from .noise_floor import measured
from .outcomes import Source, arms_of, latest_sources
from .plan import departures
from .split_wear import keep_verdict, served

if TYPE_CHECKING:
    from ..lab.lab import Lab
    from ..lab.study import Study

__all__ = [
    "baseline_of",
    "compare_across",
    "compare_in",
    "frozen_plan",
    "grounds_of",
    "leaderboard",
    "leaderboard_across",
    "policy_for",
]


def compare_in(study: Study, candidate: Any, baseline: Any, primary: str | None) -> Comparison:
    """Two arms of one study; see Study.compare."""
    arms = list(study.config["arms"])
    b = study._arm(candidate) if candidate is not None else arms[-1]
    a = study._arm(baseline) if baseline is not None else baseline_of(study)
    if (a["version"], a["endpoint"]) == (b["version"], b["endpoint"]):
        others = [arm for arm in arms if arm["version"] != b["version"]]
        if baseline is not None or not others:
            raise StudyError(
                f"{b['label']} cannot be compared with itself; name another arm of {study.name}: {', '.join(study.versions)}."
            )
        a = others[0]
    found = arms_of(
        study._lab.store,
        [(study.id, arm["version"], arm["label"]) for arm in (b, a)],
        study.config["scorers"],
    )
    return _shown(study._lab, found[0], found[1], study, primary)


def compare_across(lab: Lab, candidate: Any, baseline: Any, primary: str | None) -> Comparison:
    """Two versions on the examples that both were asked, over the latest study of each; the shared study where there is one."""
    content, prompt, _, label = as_version(candidate)
    if baseline is None:
        serving = lab._registry.serving(prompt, "prod") if prompt else None
        if serving is None:
            raise StudyError(
                f"{prompt or label} serves nothing in prod yet, so there is no incumbent to compare with; name the baseline."
            )
        baseline = lab.prompt(prompt)[serving.id]
    other, _, _, other_label = as_version(baseline)
    shared = lab.store.rows(
        "select m.study_id from study_runs m join studies s on s.id = m.study_id where m.version_id in (?, ?) "
        "group by m.study_id having count(distinct m.version_id) = 2 order by max(s.created_at) desc limit 1",
        [content.id, other.id],
    )
    labels = {content.id: label, other.id: other_label}
    sources = latest_sources(lab.store, labels, shared[0][0] if shared else None)
    where = {version: study for study, version, _ in sources}
    home = lab.studies[where[content.id]]
    scorers = _scorers_of(lab, [where[content.id], where[other.id]])
    found = arms_of(lab.store, [(where[v], v, labels[v]) for v in (content.id, other.id)], scorers)
    return _shown(lab, found[0], found[1], home, primary)


def leaderboard(study: Study, primary: str | None) -> Any:
    """All arms of a study, best first."""
    sources = [(study.id, arm["version"], arm["label"]) for arm in study.config["arms"]]
    return _ranked(study._lab, sources, study.config["scorers"], study, primary)


def leaderboard_across(lab: Lab, versions: Sequence[Any], primary: str | None) -> Any:
    """Versions over their latest studies, best first."""
    labels = {content.id: label for content, _, _, label in map(as_version, versions)}
    sources = latest_sources(lab.store, labels)
    scorers = _scorers_of(lab, [study for study, _, _ in sources])
    return _ranked(lab, sources, scorers, lab.studies[sources[0][0]], primary)


def _ranked(
    lab: Lab,
    sources: Sequence[Source],
    scorers: Sequence[Mapping[str, Any]],
    study: Study,
    primary: str | None,
) -> Any:
    from ..analysis.standings import leaderboard
    from ..lab.leaderboard import Leaderboard

    policy = policy_of(lab, study.prompt)
    arms = arms_of(lab.store, sources, scorers)
    return Leaderboard.shown(
        leaderboard(
            arms,
            primary=primary or policy.primary,
            clusters=study.dataset.clusters,
            ties=policy.ties,
            alpha=policy.alpha,
        )
    )


def policy_of(lab: Lab, prompt: str) -> Policy:
    """The prompt's policy in the registry, else the registry's, else the default."""
    return lab._registry.policy(prompt or None)


def _shown(
    lab: Lab, candidate: Arm, baseline: Arm, study: Study, primary: str | None
) -> Comparison:
    """The facts with the policy that applies: the plan's where one fixed it before the runs, else the registry's."""
    policy, plan, ended = policy_for(study), frozen_plan(study), early(lab.store, study.id)
    grounds = grounds_of(lab, study, (candidate, baseline), primary)
    chosen: set[str] | None = None
    if ended is not None:
        chosen = set(
            order(study.id, [example.id for example in study.dataset])[: ended["examples"]]
        )
        candidate, baseline, grounds = (
            part(candidate, chosen),
            part(baseline, chosen),
            replace(grounds, planned=len(chosen)),
        )
    found = compare(
        candidate,
        baseline,
        grounds=grounds,
        primary=primary or policy.primary,
        alpha=policy.alpha,
        ties=policy.ties,
    )
    shown = Comparison.shown(found, policy, lab)
    if ended is not None:
        shown.peeking = True
        shown.early = (
            f"Ended early: the e-values settled it after {ended['examples']:,} of {ended['of']:,} examples in a shuffled order, at look "
            f"{ended['looks']}; {ended['saved']:,} answers were not needed."
        )
    if study.config.get("split") == "test" and study.status == "finished":
        shown._looked = lambda verdict: keep_verdict(
            lab, study, candidate.version, baseline.version, verdict
        )
    others = [
        id_
        for id_ in (plan[0].get("finalists") or [] if plan is not None else [])
        if id_ not in (candidate.version, baseline.version)
    ]
    if others and candidate.version in plan[0]["finalists"]:  # type: ignore[index]  # others come from the plan
        shown._rivals = lambda: _rivals(study, others, baseline, found, chosen)
    return shown


def _rivals(
    study: Study, versions: Sequence[str], baseline: Arm, found: Facts, chosen: set[str] | None
) -> list[Facts]:
    """The other finalists against the same baseline. Raises StudyError where one of them is not in the study."""
    labels = {arm["version"]: arm["label"] for arm in study.config["arms"]}
    missing = [version for version in versions if version not in labels]
    if missing:
        raise StudyError(
            f"the plan's finalist {missing[0][:11]} is not in the study {study.name}; evaluate all finalists together, they are judged together."
        )
    arms = arms_of(
        study._lab.store,
        [(study.id, version, labels[version]) for version in versions],
        study.config["scorers"],
    )
    grounds, name = found.grounds, found.primary_name
    kept = arms if chosen is None else [part(arm, chosen) for arm in arms]
    return [compare(arm, baseline, grounds=grounds, primary=name, ties=found.ties) for arm in kept]


def frozen_plan(study: Study) -> tuple[dict[str, Any], str] | None:
    """(document, when it was frozen) of the plan that a study was evaluated with."""
    plan = study.config.get("plan")
    rows = (
        study._lab.store.rows(
            "select document, min(created_at) from plans where id = ? group by 1", [plan]
        )
        if plan
        else []
    )
    return (json.loads(rows[0][0]), str(rows[0][1])) if rows else None


def policy_for(study: Study) -> Policy:
    """The policy that a study is judged by: its plan's, else the registry's."""
    plan = frozen_plan(study)
    return (
        Policy.from_document(plan[0]["policy"])
        if plan is not None
        else policy_of(study._lab, study.prompt)
    )


def baseline_of(study: Study) -> Mapping[str, Any]:
    """The arm that the others are held against: what serves in prod, else the first."""
    return _incumbent(study) or dict(study.config["arms"][0])


def grounds_of(
    lab: Lab, study: Study, arms: tuple[Arm, Arm] | None, primary: str | None = None
) -> Grounds:
    """Where a study's examples come from, and under which discipline they were chosen."""
    data, config = study.dataset, study.config
    split, plan = config.get("split"), frozen_plan(study)
    pair = (arms[0].version, arms[1].version) if arms else (None, None)
    said: dict[str, Any] | None = None
    if plan is not None:
        name = primary or (config["scorers"][0]["name"] if config["scorers"] else "")
        chosen = primary or plan[0]["policy"].get("primary") or name
        went = departures(plan[0], plan[1], dict(config), arms, chosen) if arms else ()
        said = {
            "id": config["plan"],
            "frozen": plan[1],
            "followed": not went,
            "departures": list(went),
        }
    return Grounds(
        prompt=study.prompt,
        study=study.id,
        dataset=data.name,
        fingerprint=data.fingerprint,
        planned=len(data),
        clusters=data.clusters,
        tags=data.tags,
        split=split,
        tested=bool(said and said["followed"]),
        served=served(lab, data.fingerprint, split, *pair),
        plan=said,
        noise=measured(lab, arms[1].version, config["scorers"]) if arms else None,
    )


def _incumbent(study: Study) -> Mapping[str, Any] | None:
    """The arm that serves in prod, where it is in the study."""
    known = (
        study.prompt in study._lab._registry.names()
    )  # a study of outputs made elsewhere may name a prompt that nobody saved
    serving = study._lab._registry.serving(study.prompt, "prod") if known else None
    return next(
        (
            arm
            for arm in study.config["arms"]
            if serving is not None and arm["version"] == serving.id
        ),
        None,
    )


def _scorers_of(lab: Lab, studies: Sequence[str]) -> list[dict[str, Any]]:
    """The scorers of several studies, each once, in order."""
    seen: dict[str, dict[str, Any]] = {}
    for study in dict.fromkeys(studies):
        for scorer in lab.studies[study].config["scorers"]:
            seen.setdefault(scorer["name"], dict(scorer))
    return list(seen.values())

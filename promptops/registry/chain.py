"""Each environment's history: a chain of deployments in which every one seals its predecessor.

The last deployment says all that a reader needs: the version that serves, and the canary beside it
where there is one. Order is that of the chain, never of a clock. `digest` covers prompt,
environment, the previous digest and every field, so an edited, reordered or transplanted deployment
is found; a chain cut short is a rollback by git, and is served.
"""

from __future__ import annotations

from ..canonical import tagged
from ..errors import PromptOpsError, RegistryCorrupt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    Link = dict[str, Any]

__all__ = [
    "append",
    "cited",
    "faults",
    "position",
    "rolled_back",
    "seal",
    "tail",
]

FORM = "d1"  # names the form of the digest below
KINDS = ("promote", "canary", "rollback")
FIELDS = frozenset(
    {
        "version",
        "canary",
        "kind",
        "at",
        "author",
        "reason",
        "evidence",
        "forced",
        "unmet",
        "override",
        "again",  # override in links of form 1, whose digests cover the name
        "undoes",
        "digest",
    }
)


def seal(prompt: str, env: str, previous: str | None, link: Link) -> str:
    """The digest of a deployment in its place."""
    fields = {key: value for key, value in link.items() if key != "digest"}
    return tagged(
        FORM, {"prompt": prompt, "environment": env, "previous": previous, "deployment": fields}
    )


def append(prompt: str, env: str, environment: dict[str, Any] | None, link: Link) -> dict[str, Any]:
    """The environment with one more deployment, sealed; the given one is not changed."""
    environment = environment or {"deployments": []}
    links = environment["deployments"]
    before = links[-1]["digest"] if links else None
    return {
        **environment,
        "deployments": [*links, {**link, "digest": seal(prompt, env, before, link)}],
    }


def position(environment: dict[str, Any]) -> int:
    """How many deployments the environment has seen; an export leaves the early ones out but counts
    them.
    """
    return len(environment["deployments"]) + int(environment.get("earlier", {}).get("count", 0))


def tail(prompt: str, env: str, environment: dict[str, Any]) -> Link:
    """The last deployment, checked.

    Raises RegistryCorrupt if its digest is not that of its content and place.
    """
    links = environment["deployments"]
    earlier = environment.get("earlier") or {}
    try:
        before = links[-2]["digest"] if len(links) > 1 else earlier.get("digest")
        fault = _link_fault(prompt, env, before, links[-1])
    except (TypeError, KeyError, AttributeError, PromptOpsError) as error:
        fault = f"is malformed ({type(error).__name__})"
    if fault:
        raise RegistryCorrupt(
            f"the last deployment of {prompt} in {env} {fault}; restore it from git."
        )
    return links[-1]  # type: ignore[no-any-return]


def faults(prompt: str, env: str, environment: dict[str, Any], known: set[Any]) -> Iterator[str]:
    """What is wrong with a whole chain; `known` holds the ids of the prompt's versions."""
    earlier = environment.get("earlier") or {}
    before = earlier.get("digest") if hasattr(earlier, "get") else None
    for index, link in enumerate(environment["deployments"]):
        try:
            fault = _link_fault(prompt, env, before, link)
            cited = (
                {link["version"], *([link["canary"]["version"]] if link.get("canary") else [])}
                if not fault
                else set()
            )
        except (TypeError, KeyError, AttributeError, PromptOpsError) as error:
            fault, cited = f"is malformed ({type(error).__name__})", set()
        if fault:
            yield f"deployment {index + 1} of {prompt} in {env} {fault}"
            return  # what follows is sealed on top of it
        for missing in sorted(cited - known):
            yield (
                f"deployment {index + 1} of {prompt} in {env} serves {missing[:11]}, which is not"
                " among the versions"
            )
        before = link["digest"]


def rolled_back(links: Sequence[Link]) -> dict[str, Link]:
    """Versions that were rolled back and not deployed again since -> the deployment that rolled
    each back.
    """
    undone: dict[str, Link] = {}
    for link in links:
        if link["kind"] == "rollback":
            undone[link["undoes"]] = link
        undone.pop(link["version"], None)
        if link.get("canary"):
            undone.pop(link["canary"]["version"], None)
    return undone


def cited(link: Link) -> frozenset[str]:
    """The ids of the versions that one deployment names: what serves, beside it, and what was
    undone.
    """
    canary = link.get("canary") or {}
    named = (link["version"], canary.get("version"), link.get("undoes"))
    return frozenset(id_ for id_ in named if id_ is not None)


def _link_fault(prompt: str, env: str, before: str | None, link: Link) -> str | None:
    unknown = sorted(link.keys() - FIELDS)
    if unknown:
        return f"has the unknown field {unknown[0]!r}"
    if link["kind"] not in KINDS or not isinstance(link["version"], str):
        return f"has the kind {link['kind']!r}, which is not one of {', '.join(KINDS)}"
    canary = link.get("canary")
    if canary is not None and not (
        set(canary) == {"version", "percent"}
        and isinstance(canary["version"], str)
        and 0 < canary["percent"] < 100
    ):
        return "has a canary without its version and a percentage between 0 and 100"
    if seal(prompt, env, before, link) != link["digest"]:
        return "was edited, moved, or put on another chain: its digest does not hold"
    return None

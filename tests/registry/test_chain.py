"""Law: every deployment seals the one before it, and whatever is wrong with one is named with its
place.
"""

from __future__ import annotations

from typing import Any

import pytest

from promptops import RegistryCorrupt
from promptops.registry import chain

A, B, C = "p1-" + "a" * 32, "p1-" + "b" * 32, "p1-" + "c" * 32


def link(version: object = A, **more: object) -> dict[str, Any]:
    return {"version": version, "kind": "promote", **more}


def grown(*links: dict[str, Any], earlier: dict[str, Any] | None = None) -> dict[str, Any]:
    environment: dict[str, Any] | None = None
    if earlier is not None:
        environment = {"deployments": [], "earlier": earlier}
    for each in links:
        environment = chain.append("p", "prod", environment, each)
    assert environment is not None
    return environment


def faults(environment: dict[str, Any], *known: str) -> list[str]:
    return list(chain.faults("p", "prod", environment, set(known or (A, B, C))))


def sealed(previous: str | None = None, **fields: Any) -> dict[str, Any]:
    """An environment of one deployment with these fields, whose digest holds."""
    whole = {"version": A, "kind": "promote", **fields}
    return {"deployments": [{**whole, "digest": chain.seal("p", "prod", previous, whole)}]}


def test_a_deployment_is_appended_and_the_given_environment_stays() -> None:
    first = grown(link())
    second = chain.append("p", "prod", first, link(B))
    assert [each["version"] for each in first["deployments"]] == [A]
    assert [each["version"] for each in second["deployments"]] == [A, B]
    digest = first["deployments"][0]["digest"]
    assert digest == chain.seal("p", "prod", None, link())
    assert second["deployments"][1]["digest"] == chain.seal("p", "prod", digest, link(B))
    assert chain.append("p", "prod", {"deployments": [], "note": 1}, link())["note"] == 1


def test_what_an_export_left_out_is_counted() -> None:
    assert chain.position(grown(link(), link(B))) == 2
    assert chain.position({"deployments": []}) == 0
    assert chain.position({"deployments": [], "earlier": {}}) == 0
    assert chain.position(grown(link(), earlier={"count": 4, "digest": None})) == 5


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_last_deployment_is_checked_against_the_one_before(count: int) -> None:
    environment = grown(*[link(A), link(B), link(C)][:count])
    assert chain.tail("p", "prod", environment) is environment["deployments"][-1]
    for prompt, env in (("q", "prod"), ("p", "dev")):
        with pytest.raises(RegistryCorrupt, match="its digest does not hold"):
            chain.tail(prompt, env, environment)
    assert faults(environment) == []


def test_the_first_deployment_that_is_kept_follows_those_that_are_left_out() -> None:
    environment = sealed("d1-before")
    environment["earlier"] = {"count": 2, "digest": "d1-before"}
    assert chain.tail("p", "prod", environment)["version"] == A
    assert faults(environment) == []
    environment["earlier"]["digest"] = "d1-another"
    assert "its digest does not hold" in faults(environment)[0]
    with pytest.raises(RegistryCorrupt, match=r"the last deployment of p in prod .* from git"):
        chain.tail("p", "prod", environment)
    environment["earlier"] = ["malformed"]
    assert len(faults(environment)) == 1


@pytest.mark.parametrize(
    ("last", "fault"),
    [
        ({"version": A}, "is malformed (KeyError)"),
        ("a text", "is malformed (AttributeError)"),
        ({"kind": "promote", "version": A}, "is malformed (KeyError)"),
    ],
)
def test_what_is_no_deployment_is_malformed(last: object, fault: str) -> None:
    environment = {"deployments": [last]}
    assert faults(environment) == [f"deployment 1 of p in prod {fault}"]
    with pytest.raises(RegistryCorrupt, match=r"is malformed"):
        chain.tail("p", "prod", environment)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"colour": "red", "blue": 1}, "has the unknown field 'blue'"),
        ({"kind": "force"}, "has the kind 'force', which is not one of promote, canary, rollback"),
        ({"version": 3}, "has the kind 'promote', which"),
    ],
)
def test_fields_and_kinds_are_closed(fields: dict[str, Any], fault: str) -> None:
    [found] = faults(sealed(**fields))
    assert found.startswith(f"deployment 1 of p in prod {fault}")


@pytest.mark.parametrize(
    ("canary", "holds"),
    [
        ({"version": B, "percent": 0.5}, True),
        ({"version": B, "percent": 1}, True),
        ({"version": B, "percent": 99.5}, True),
        ({"version": B, "percent": 0}, False),
        ({"version": B, "percent": 100}, False),
        ({"version": B, "percent": -1}, False),
        ({"version": 7, "percent": 10}, False),
        ({"version": B}, False),
        ({"version": B, "percent": 10, "more": 1}, False),
        (None, True),
    ],
)
def test_a_canary_has_a_version_and_a_share_between_0_and_100(canary: Any, holds: bool) -> None:
    found = faults(sealed(kind="canary", canary=canary))
    assert found == [] if holds else "a percentage between 0 and 100" in found[0]


def test_nothing_is_said_of_what_follows_a_fault() -> None:
    """It is sealed on top of it."""
    environment = grown(link(), link(B), link(C))
    environment["deployments"][1]["reason"] = "edited"
    environment["deployments"][2]["reason"] = "edited too"
    [found] = faults(environment)
    assert found.startswith("deployment 2 of p in prod was edited, moved")


def test_each_version_that_is_not_there_is_named() -> None:
    environment = grown(
        link(), link(A, kind="canary", canary={"version": C, "percent": 5}), link(B)
    )
    assert faults(environment, A) == [
        f"deployment 2 of p in prod serves {C[:11]}, which is not among the versions",
        f"deployment 3 of p in prod serves {B[:11]}, which is not among the versions",
    ]


def test_what_was_rolled_back_stays_so_until_it_is_deployed_again() -> None:
    back = link(A, kind="rollback", undoes=B)
    assert chain.rolled_back([link(A), link(B)]) == {}
    assert chain.rolled_back([link(A), link(B), back]) == {B: back}
    assert chain.rolled_back([link(B), back, link(B)]) == {}
    beside = link(A, kind="canary", canary={"version": B, "percent": 5})
    assert chain.rolled_back([link(B), back, beside]) == {}
    assert chain.rolled_back([link(B), back, link(C), link(A, canary=None)]) == {B: back}


def test_a_deployment_cites_what_serves_what_is_beside_it_and_what_it_undid() -> None:
    assert chain.cited(link()) == {A}
    assert chain.cited(link(canary={"version": B, "percent": 5}, undoes=C)) == {A, B, C}
    assert chain.cited(link(canary=None, undoes=None)) == {A}

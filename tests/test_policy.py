"""A policy is a value: what a registry stores is what comes back, and what makes no sense is
refused by name.
"""

from __future__ import annotations

import copy
import json
import math
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.canonical import canonical, digest
from promptops.errors import VersionError
from promptops.policy import Guardrail, Policy, by_former_names

NAME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
SHARE = st.floats(0, 1)
POLICIES = st.builds(
    Policy,
    goal=st.sampled_from(["better", "not_worse", "cheaper"]),
    primary=st.none() | NAME,
    alpha=st.floats(0, 0.5, exclude_min=True, exclude_max=True),
    min_effect=SHARE,
    margin=SHARE,
    guardrails=st.lists(st.builds(Guardrail, NAME, SHARE), max_size=3).map(tuple),
    min_n=st.integers(0, 10_000),
    min_score=SHARE,
    must_pass=st.lists(NAME, max_size=3).map(tuple),
    stages=st.lists(NAME, max_size=3).map(tuple),
    ungated_environments=st.lists(NAME, max_size=3).map(tuple),
    allow_uncalibrated_judge=st.booleans(),
    dataset=st.none() | NAME,
    ties=st.sampled_from(["full", "half"]),
)


@settings(deadline=None, max_examples=150)
@given(POLICIES)
def test_round_trip(policy: Policy) -> None:
    """A policy survives its document, through JSON too, with the same digest."""
    for document in (policy.document(), json.loads(canonical(policy.document()))):
        again = Policy.from_document(document)
        assert again == policy
        assert hash(again) == hash(policy)
        assert again.digest == policy.digest == digest(policy.document())
    assert pickle.loads(pickle.dumps(policy)) == copy.deepcopy(policy) == policy


def test_only_what_differs_is_stored() -> None:
    """The document holds the fields that differ from the default, so that a registry's diff is
    short.
    """
    assert Policy().document() == {}
    assert Policy.from_document({}) == Policy()
    assert Policy(min_n=30, ungated_environments=()).document() == {
        "min_n": 30,
        "ungated_environments": [],
    }
    guarded = Policy(guardrails=(Guardrail("cost", 0.1),))
    assert guarded.document() == {"guardrails": [{"metric": "cost", "margin": 0.1}]}


def test_lists_become_tuples() -> None:
    """Lists and guardrails as maps are taken as they are in a file, and make an equal, hashable
    policy.
    """
    made = Policy(stages=["staging"], must_pass=["e1"], guardrails=[{"metric": "cost"}])  # type: ignore[arg-type, list-item]
    assert made == Policy(stages=("staging",), must_pass=("e1",), guardrails=(Guardrail("cost"),))
    assert {made: 1}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("goal", "best"),
        ("goal", None),
        ("alpha", 0),
        ("alpha", 0.5),
        ("alpha", math.nan),
        ("alpha", "0.05"),
        ("alpha", None),
        ("alpha", True),
        ("min_effect", -0.1),
        ("min_effect", 1.1),
        ("margin", math.nan),
        ("margin", "5%"),
        ("margin", 2),
        ("min_score", 80),
        ("min_n", -1),
        ("min_n", 2.5),
        ("min_n", math.inf),
        ("min_n", "30"),
        ("ties", "none"),
        ("allow_uncalibrated_judge", "false"),
        ("allow_uncalibrated_judge", 0),
        ("primary", 3),
        ("dataset", ["d1"]),
        ("must_pass", "e1"),
        ("must_pass", [1]),
        ("stages", "staging"),
        ("ungated_environments", None),
        ("ungated_environments", {"dev": True}),
        ("guardrails", "cost"),
        ("guardrails", ["cost"]),
        ("guardrails", [{"metric": "cost", "limit": 1}]),
        ("guardrails", [{"margin": 0.1}]),
        ("guardrails", [{"metric": "", "margin": 0.1}]),
        ("guardrails", [{"metric": 3}]),
        ("guardrails", [{"metric": "cost", "margin": -0.1}]),
        ("guardrails", [{"metric": "cost", "margin": "0.1"}]),
        ("guardrails", [{"metric": "cost", "margin": math.nan}]),
        ("min_pairs", 3),
        (3, 3),
    ],
)
def test_refused(field: Any, value: Any) -> None:
    """A field that is unknown, of another type or out of range is one VersionError that names it,
    in code and from a file.
    """
    with pytest.raises(VersionError, match=str(field).rstrip("s")):
        Policy.from_document({field: value})
    if isinstance(field, str) and field in Policy.__slots__:
        with pytest.raises(VersionError):
            Policy(**{field: value})


@pytest.mark.parametrize("document", [None, [], "better", 3])
def test_a_document_is_a_map(document: Any) -> None:
    """What is not a map of fields is refused."""
    with pytest.raises(VersionError, match="expected a map of its fields"):
        Policy.from_document(document)


def test_a_policy_is_taken_as_a_map_wherever_one_is_asked_for() -> None:
    """`Policy.of` gives a policy as it is and makes one of a map; anything else is one sentence
    with an example.
    """
    policy = Policy(goal="not_worse", margin=0.02)
    assert Policy.of(policy) is policy
    assert Policy.of({"goal": "not_worse", "margin": 0.02}) == policy
    with pytest.raises(
        VersionError,
        match=r"""a policy is 'better'; expected a map of its fields such as \{"goal": "not_worse"\}, or a Policy""",
    ):
        Policy.of("better")  # type: ignore[arg-type]


FORM_1 = {
    "judge_alone": True,
    "path": ["staging"],
    "ungated": [],
    "guardrails": [{"measure": "cost", "margin": 0.1}],
    "min_n": 20,
}


def test_a_policy_of_format_1_is_read_by_its_former_names() -> None:
    """Release 0.1 wrote other names; what it wrote is the same policy, and its form can be written
    again for ids that were made over it.
    """
    policy = Policy.from_document(FORM_1)
    assert policy == Policy(
        allow_uncalibrated_judge=True,
        stages=("staging",),
        ungated_environments=(),
        guardrails=(Guardrail("cost", 0.1),),
        min_n=20,
    )
    assert by_former_names(policy.document()) == FORM_1
    assert Policy.from_document(policy.document()) == policy


def test_a_former_name_is_not_an_alias() -> None:
    """What a person writes today has today's names; a file with both of one field is refused."""
    with pytest.raises(VersionError, match="unknown field 'ungated'"):
        Policy.of({"ungated": []})
    with pytest.raises(VersionError, match="both 'path' and 'stages'"):
        Policy.from_document({"path": [], "stages": ["staging"]})

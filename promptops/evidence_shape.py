"""The shape of a document of evidence, checked before anything reads it.

A digest proves that a bundle is the one that a deployment cites. It proves nothing about its
content: anyone who can write the registry can cite a bundle of any content.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["BALANCED", "evidence_fault", "is_class_measure"]

BALANCED = "balanced_accuracy"
_DECISIONS = ("promote", "reject", "inconclusive")


def is_class_measure(name: str) -> bool:
    """Whether a name is balanced_accuracy, or recall(label) of one golden label."""
    return name == BALANCED or (name.startswith("recall(") and name.endswith(")"))


def evidence_fault(document: Mapping[str, object]) -> str | None:
    """What is wrong with the first field that is out of shape, as half a sentence; None if all
    are as `Evidence.document` writes them.

    document: in the names of today.
    """
    for name, (fits, what) in _REQUIRED.items():
        if name not in document:
            return f"`{name}` is missing"
        if not fits(document[name]):
            return f"`{name}` is not {what}"
    for name, (fits, what) in _OPTIONAL.items():
        if name in document and not fits(document[name]):
            return f"`{name}` is not {what}"
    return _lengths(document)


def _lengths(document: Mapping[str, Any]) -> str | None:
    """Every list per example is as long as the list of examples, and places lie within it."""
    n = len(document["examples"])
    if len(set(document["examples"])) != n:
        return "`examples` names an example more than once"
    for table in ("scores", "metrics"):
        for name, arms in document.get(table, {}).items():
            if "candidate" not in arms:
                return f"`{table}` of {name!r} has no candidate"
            for arm, values in arms.items():
                if len(values) != n:
                    return f"`{table}` of {name!r} has {len(values)} {arm} values for {n} examples"
    primary = document["primary"]
    made_up = is_class_measure(primary) and document.get("classes") and document["scores"]
    if primary not in document["scores"] and not made_up:  # made up of a scorer's and its labels
        return f"the primary {primary!r} is not among the scores"
    clusters = document.get("clusters")
    if clusters is not None and len(clusters) != n:
        return f"`clusters` has {len(clusters)} labels for {n} examples"
    weights = document.get("weights")
    if weights and len(weights) != n:
        return f"`weights` has {len(weights)} numbers for {n} examples"
    for tag, places in document.get("tags", {}).items():
        if not all(0 <= place < n for place in places):
            return f"`tags` names a place of {tag!r} that no example has"
    return None


def _text(value: object) -> bool:
    return isinstance(value, str)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _amount(value: object) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _share(value: object) -> bool:
    return value is None or (_amount(value) and 0 <= value <= 1)  # type: ignore[operator]


def _weight(value: object) -> bool:
    return value is not None and _amount(value) and 0 <= value < math.inf  # type: ignore[operator]


def _measure(value: object) -> bool:
    """A cost, a time or a number of tokens, or unknown."""
    return value is None or (_weight(value) and value < 1e15)  # type: ignore[operator]


def _any(value: object) -> bool:
    return True


def _map(inner: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(inner(item) for item in value.values())


def _list(inner: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, (list, tuple)) and all(inner(item) for item in value)


def _or_none(inner: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or inner(value)


def _verdict(value: object) -> bool:
    return isinstance(value, dict) and value.get("decision") in _DECISIONS


_OBJECT = _map(_any)
_REQUIRED: dict[str, tuple[Callable[[object], bool], str]] = {
    "prompt": (_text, "a text"),
    "candidate": (_text, "a text"),
    "baseline": (_or_none(_text), "a text or null"),
    "dataset": (_OBJECT, "an object"),
    "study": (_text, "a text"),
    "policy": (_OBJECT, "an object"),
    "primary": (_text, "a text"),
    "examples": (_list(_text), "a list of ids"),
    "scores": (_map(_map(_list(_share))), "lists of numbers from 0 to 1 by scorer and arm"),
    "counts": (_map(_map(_whole)), "numbers by arm"),
    "scorers": (_map(_OBJECT), "an object per scorer"),
    "figures": (_OBJECT, "an object"),
    "verdict": (_verdict, f"an object whose decision is {', '.join(_DECISIONS)}"),
}
_OPTIONAL: dict[str, tuple[Callable[[object], bool], str]] = {
    "metrics": (_map(_map(_list(_measure))), "lists of numbers from 0 by metric and arm"),
    "clusters": (_or_none(_list(_text)), "a list of labels or null"),
    "repeats": (_map(_whole), "a number per arm"),
    "asked": (_OBJECT, "an object"),
    "tallies": (_map(_map(_OBJECT)), "objects by metric and arm"),
    "rule": (_OBJECT, "an object"),
    "labels": (_map(_text), "a text per arm"),
    "plan": (_or_none(_OBJECT), "an object or null"),
    "classes": (_OBJECT, "an object"),
    "tags": (_map(_list(_whole)), "lists of places by tag"),
    "weights": (_list(_weight), "a list of numbers from 0"),
    "notes": (_list(_text), "a list of texts"),
    "made_at": (_text, "a text"),
    "measured_at": (_text, "a text"),
    "toolkit": (_text, "a text"),
}

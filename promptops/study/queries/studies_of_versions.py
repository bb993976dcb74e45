"""Which studies compared some versions, and on which dataset each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...store import Store

__all__ = ["studies_by_dataset"]

_NAMING = "select id, design from studies where {} order by created_at, id"


def studies_by_dataset(store: Store, versions: Sequence[str]) -> dict[str, list[str]]:
    """dataset's fingerprint -> ids of the studies that have one of these versions as an arm; a
    study whose design cannot be read, or that release 0.1 recorded, is left out.
    """
    if not store.has("studies"):
        return {}
    where = " or ".join(["contains(design::varchar, ?)"] * len(versions))
    found: dict[str, list[str]] = {}
    for id_, text in store.rows(_NAMING.format(where), list(versions)):
        try:
            design = json.loads(text)
            arms = {arm["version"] for arm in design["arms"]}
            if "primary" in design and not arms.isdisjoint(versions):
                found.setdefault(str(design["dataset"]["fingerprint"]), []).append(id_)
        except (ValueError, KeyError, TypeError):
            continue
    return found

"""Evidence as a file: what was written reads back equal, whatever the size of its figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptops.evidence import Evidence


def bundle(figure: float) -> Evidence:
    scores = {"equals": {"candidate": (1.0, None), "baseline": (0.0, 1.0)}}
    return Evidence(
        prompt="triage", candidate="p1-" + "a" * 32, baseline=None, dataset={"name": "d", "fingerprint": "d1-0"}, study="s1-0", policy={},
        primary="equals", examples=("a", "b"), scores=scores, counts={}, scorers={}, figures={"equals": {"e_value": figure}},
        verdict={"decision": "promote"},
    )  # fmt: skip


@pytest.mark.parametrize("figure", [0.5, 3.0, 2.0**53, 2.13e16, 9.9e20, 1e21, 1.5e300, 1e-300])
def test_a_bundle_reads_back_as_it_was_written(tmp_path: Path, figure: float) -> None:
    """A large e-value is written without a point and is still the same number, with the same
    digest.
    """
    written = bundle(figure)
    registry = tmp_path / "promptops.json"
    written.write(registry)
    read = Evidence.read(registry, written.digest)
    assert read.figures["equals"]["e_value"] == figure
    assert read.digest == written.digest

"""Evidence as a file: what was written reads back equal, whatever the size of its figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from promptops.evidence import FORM, Evidence
from promptops.policy import Policy

FORM_1 = sorted((Path(__file__).parent / "golden" / "format1" / "promptops.evidence").iterdir())


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


@pytest.mark.parametrize("path", FORM_1, ids=lambda path: path.stem[:8])
def test_evidence_of_form_e1_is_read_and_keeps_its_digest(path: Path) -> None:
    """Every bundle that 0.1 wrote: today's names in Python, and the document and digest that the
    deployments cite.
    """
    document = json.loads(path.read_text(encoding="utf-8"))
    evidence = Evidence.from_document(document)
    assert evidence.form == "e1"
    assert evidence.metrics.keys() == document["measures"].keys()
    assert evidence.document() == document
    assert evidence.digest.startswith(path.stem)
    Policy.of(evidence.policy)


def test_new_evidence_is_of_form_e2() -> None:
    """The same figures by the names of today, under a form and a digest of its own."""
    old = Evidence.from_document(json.loads(FORM_1[0].read_text(encoding="utf-8")))
    new = replace(old, form=FORM)
    assert new.document()["form"] == "e2"
    assert "metrics" in new.document()
    assert "measures" not in new.document()
    assert new.digest != old.digest
    assert Evidence.from_document(new.document()) == new

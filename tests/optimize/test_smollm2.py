"""O4 on recorded answers of a real small model: it learns the form of the answer, gains 59 points,
and is not promoted, since always "True" is right as often.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import Refused
from promptops.models.recorded import RecordedModel

sys.path.insert(0, str(Path(__file__).parent))
from record_smollm2 import FOLDER, rows, search


def test_a_form_is_learned_and_the_gate_sees_the_constant(make_lab: Callable[..., Any]) -> None:
    """Strict equality: 0 of 103 against 61; the constant has 62."""
    lines = (FOLDER / "smollm2_answers.jsonl").read_text(encoding="utf-8").splitlines()
    model = RecordedModel([json.loads(line) for line in lines])
    lab = make_lab(models={"smol": model})
    v1, found = search(lab)
    study = found.confirm()
    found_on_test = study.compare(candidate=found.best, baseline=v1)
    figures = found_on_test.primary
    assert (figures.n, figures.baseline, figures.wins, figures.losses) == (103, 0.0, 61, 0)
    assert sum(example.expected == "True" for example in rows().test) == 62
    assert figures.gain > 0.59
    assert figures.p_better < 1e-15
    verdict = found_on_test.verdict
    assert verdict.decision == "inconclusive"
    assert any("60.2 %" in reason for reason in verdict.reasons), verdict.reasons
    # Nothing serves, so that alone it would only have to be no worse than the constant.
    with pytest.raises(Refused, match="does not show that it is better than the seed"):
        lab.promote(found.save(note="found"), env="prod", study=study)

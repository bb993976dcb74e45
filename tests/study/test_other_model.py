"""Another model behind the same address is said if its answers stand beside older ones: at linking,
by the study, its progress and its comparison, in the report and in the evidence.
"""

from __future__ import annotations

import html
import json
import warnings
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from google import genai

from promptops.analysis.recompute import make_evidence
from promptops.evidence import FOLDER, Evidence
from promptops.lab import Lab
from promptops.lab.study import Study
from promptops.models.endpoint import EndpointModel
from promptops.scorers import equals
from promptops.study.other_model import other_models
from promptops.version import PromptVersion
from tests.faults.server import FaultServer, Say, completion

ROWS = [{"q": f"q{number}", "expected": "ok"} for number in range(6)]


def notes_of(lab: Lab, rows: int, *, fresh: bool = False) -> list[str]:
    """What is warned of when the first rows are evaluated."""
    version = lab.prompt("p").save("{{q}}", model="m")
    study, found = evaluated(lab, [version], rows, fresh=fresh)
    assert found == other_models(lab.project.store, study.record.sources())
    return found


def evaluated(
    lab: Lab, versions: list[Any], rows: int, *, fresh: bool = False
) -> tuple[Study, list[str]]:
    """The study of the first rows, and what was said of another model at linking."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        study = lab.evaluate(versions, ROWS[:rows], [equals()], fresh=fresh)
        study.wait()
    return study, [str(each.message) for each in said if "more than one" in str(each.message)]


def test_a_swap_of_the_model_is_said_and_fresh_mends_it(tmp_path: Path) -> None:
    """Old answers beside new ones of another name: the sentence has both, and `fresh=`; with it,
    nothing is left to say.
    """
    serves = ["llama-3"]

    def say(seen: object) -> Say:
        return Say(body=completion("ok", model=serves[-1]))

    with FaultServer(say) as server:
        lab = Lab(tmp_path, models={"m": EndpointModel(base_url=server.url)})
        assert notes_of(lab, 3) == []
        serves.append("qwen-3")
        [said] = notes_of(lab, 6)
        assert said == (
            "Answers of v1 are of more than one model behind 'm': llama-3 (3), qwen-3 (3);"
            " evaluate(..., fresh=True) asks all of them again."
        )
        assert notes_of(lab, 6, fresh=True) == []


def test_a_swap_within_the_first_pass_is_said(tmp_path: Path) -> None:
    """By another name, and by another fingerprint; answers of one model are not read again."""
    swaps = {"a": ["x", "x", "x", "y", "y", "y"], "b": ["x"] * 6, "c": ["m"] * 6}
    marks = {"a": [None] * 6, "b": [*"fffggg"], "c": ["f"] * 6}
    came = [pair for name in swaps for pair in zip(swaps[name], marks[name], strict=True)]
    replies = iter(came)

    def say(seen: object) -> Say:
        model, mark = next(replies)
        return Say(body=completion("ok", model=model, system_fingerprint=mark))

    with FaultServer(say) as server:
        lab = Lab(tmp_path, models={"m": EndpointModel(base_url=server.url)})
        found = []
        for name in swaps:
            version = lab.prompt(name).save(f"{name} {{{{q}}}}", model="m")
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                lab.evaluate([version], ROWS, [equals()], concurrency=1).wait()
            found.append([text for each in said if "more than one" in (text := str(each.message))])
    assert [len(sentences) for sentences in found] == [1, 1, 0]
    assert "x (3), y (3)" in found[0][0]
    assert "fingerprint f (3), then fingerprint g (3)" in found[1][0]


def test_a_first_pass_by_one_model_ends_without_the_database(tmp_path: Path) -> None:
    """Nothing is merged only to learn that one model answered: 100,000 answers would take seconds
    and a hundred megabytes.
    """
    with FaultServer(lambda _: Say(body=completion("ok", model="m"))) as server:
        lab = Lab(tmp_path, models={"m": EndpointModel(base_url=server.url)})
        version = lab.prompt("p").save("{{q}}", model="m")
        assert evaluated(lab, [version], 6)[1] == []
        assert not lab.store.access.main.path.exists()
        assert evaluated(lab, [version], 6)[1] == []
        assert lab.store.access.main.path.exists()


def test_fingerprints_that_follow_each_other_are_said_and_mixed_ones_are_not(
    tmp_path: Path,
) -> None:
    """A provider that answers with several fingerprints at a time has not changed."""
    marks = iter("abababcccddd")

    def say(seen: object) -> Say:
        return Say(body=completion("ok", model="m", system_fingerprint=next(marks)))

    with FaultServer(say) as server:
        lab = Lab(tmp_path, models={"m": EndpointModel(base_url=server.url)})
        version = lab.prompt("p").save("{{q}}", model="m")
        study = lab.evaluate([version], ROWS, [equals()], concurrency=1)
        study.wait()
        assert other_models(lab.project.store, study.record.sources()) == []
        other = lab.prompt("o").save("o {{q}}", model="m")
        later = lab.evaluate([other], ROWS, [equals()], concurrency=1)
        later.wait()
        [said] = other_models(lab.project.store, later.record.sources())
    assert "fingerprint c (3), then fingerprint d (3)" in said


# -- every place that shows it, in the four request forms


def reply_of(api: str, model: str) -> dict[str, object]:
    """A reply of one form that says "ok" and names the model that gave it."""
    if api == "anthropic":
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": "ok"}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 3, "output_tokens": 1},
        }
    if api == "gemini":
        content = {"role": "model", "parts": [{"text": "ok"}]}
        return {
            "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1},
            "modelVersion": model,
        }
    if api == "responses":
        part = {"type": "output_text", "text": "ok", "annotations": []}
        spoken = {"type": "message", "id": "m1", "role": "assistant", "status": "completed"}
        return {
            "id": "r1",
            "object": "response",
            "created_at": 1,
            "model": model,
            "status": "completed",
            "output": [{**spoken, "content": [part]}],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4},
        }
    return completion("ok", model=model)


def client_of(api: str, url: str) -> object:
    """A client of the provider that speaks the form."""
    root = url.removesuffix("/v1")
    if api == "anthropic":
        return anthropic.Anthropic(api_key="a-key-123456", base_url=root)
    if api == "gemini":
        return genai.Client(api_key="g-key-123456", http_options={"base_url": root})
    return openai.OpenAI(api_key="a-key-123456", base_url=url)


def evidence_of(study: Study) -> Evidence:
    """What a promotion of the last arm would rest on."""
    found = study.compare()
    return make_evidence(found, found.verdict)


def faces_of(study: Study) -> dict[str, str]:
    """What every place that shows a study or its comparison says."""
    found = study.compare()
    report = study.report(study.recorded.project.root / "report.html")
    return {
        "study": repr(study),
        "study, HTML": study._repr_html_(),
        "progress": repr(study.progress),
        "progress, HTML": study.progress._repr_html_(),
        "comparison": str(found),
        "comparison, HTML": found._repr_html_(),
        "notes": "\n".join(found.notes),
        "Markdown": found.markdown().replace("\\", ""),
        "report": report.read_text("utf-8"),
        "evidence": "\n".join(evidence_of(study).notes),
    }


@pytest.mark.parametrize("api", ["chat", "responses", "anthropic", "gemini"])
def test_a_swap_is_shown_wherever_the_study_is(api: str, tmp_path: Path) -> None:
    """One arm has answers of both models and the other of the new one alone: one sentence names
    both models, whose answers they are, and `fresh=True`, and every face has it; a lab that is
    opened later too.
    """
    serves = ["first-1"]
    with FaultServer(lambda seen: Say(body=reply_of(api, serves[-1]))) as server:
        lab = Lab(tmp_path, models={"m": client_of(api, server.url)})
        settings = {"max_tokens": 9} if api == "anthropic" else {}
        one, two = (
            lab.prompt("p").save(PromptVersion(text, model="m", api=api, settings=settings))
            for text in ("{{q}}", "Now {{q}}")
        )
        evaluated(lab, [one], 4)
        serves.append("second-2")
        study, said = evaluated(lab, [one, two], 6)
    sentence = (
        "Answers of v1 and v2 are of more than one model behind 'm': first-1 (4 of v1), second-2"
        " (2 of v1, 6 of v2); evaluate(..., fresh=True) asks all of them again."
    )
    assert said == [sentence]
    again = Lab(tmp_path).study(study.name)
    for shown in (study, again):
        faces = faces_of(shown)
        missing = {
            name: text[:300]
            for name, text in faces.items()
            if sentence.rstrip(".") not in html.unescape(text)
        }
        assert missing == {}


def test_old_answers_of_one_arm_beside_new_ones_of_another_are_said(tmp_path: Path) -> None:
    """No arm is mixed, and still the two are not of one model."""
    serves = ["llama-3"]
    with FaultServer(lambda seen: Say(body=completion("ok", model=serves[-1]))) as server:
        lab = Lab(tmp_path, models={"m": EndpointModel(base_url=server.url)})
        one, two = (lab.prompt("p").save(text, model="m") for text in ("{{q}}", "Now {{q}}"))
        evaluated(lab, [one], 6)
        serves.append("qwen-3")
        study, [said] = evaluated(lab, [one, two], 6)
        assert "llama-3 (6 of v1), qwen-3 (6 of v2)" in said
        assert said in study.compare().notes
        mended, said_then = evaluated(lab, [one, two], 6, fresh=True)
        assert said_then == []
        faces = faces_of(mended)
        silent = {"study", "progress", "progress, HTML"}  # the others show the comparison
        assert {name for name, text in faces.items() if "more than one" not in text} == silent
        [note] = [note for note in mended.compare().notes if "more than one" in note]
        assert "llama-3 (6 of v1), qwen-3 (6 of v1, 12 of v2)" in note
        assert "those of earlier studies count here with this study's" in note


def test_the_evidence_of_a_first_deployment_says_it(tmp_path: Path) -> None:
    """Nothing serves yet, so that one arm alone is judged, and its answers are mixed."""
    serves = ["llama-3"]
    with FaultServer(lambda seen: Say(body=completion("ok", model=serves[-1]))) as server:
        lab = Lab(tmp_path, models={"m": EndpointModel(base_url=server.url)})
        version = lab.prompt("p").save("{{q}}", model="m")
        evaluated(lab, [version], 4)
        serves.append("qwen-3")
        study, [said] = evaluated(lab, [version], 6)
    lab.promote(version, env="dev", study=study)
    [path] = (tmp_path / FOLDER).glob("*.json")
    assert said in json.loads(path.read_text("utf-8"))["notes"]

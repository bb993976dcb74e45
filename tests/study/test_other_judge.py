"""A judge or an embedder that was swapped behind its address is said wherever the study is shown,
and fresh=True asks it again; the models that judged are in the column `scores.judged_by`.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from promptops.dataset import Example
from promptops.lab import Lab
from promptops.lab.study import Study
from promptops.models.endpoint import EndpointModel
from promptops.run import Run
from promptops.scorers import EndpointEmbedder, all_of, equals, pairwise, rubric, similar_meaning
from promptops.scorers.case import Case, Scorer
from promptops.scorers.embedding import Vectors
from promptops.scorers.judged_by import JudgedBy
from promptops.study.other_model import other_models
from tests.faults.server import FaultServer, Say, Seen, completion
from tests.study.test_other_model import faces_of

RUN = Run("r-j", "k1:j", "", "p1-j", "m", "scripted", "model", None, None, 0, "{}", "")
ROWS = [{"q": f"q{number}", "expected": f"said q{number}"} for number in range(6)]


class Serving:
    """A server whose judge and embedder are `model` now. asked: who was asked, call by call; the
    judge's fingerprint is that of `mark`.
    """

    def __init__(self) -> None:
        self.model, self.mark = "judge-1", "fp"
        self.asked: list[str] = []

    def __call__(self, seen: Seen) -> Say:
        if seen.path.endswith("/embeddings"):
            self.asked.append(self.model)
            axis = [1.0, 0.5] if self.model == "judge-1" else [0.2, 1.0, 3.0]
            data = [
                {"index": place, "embedding": [*axis, float(len(text))]}
                for place, text in enumerate(seen.body["input"])
            ]
            return Say(body={"object": "list", "model": self.model, "data": data})
        text = json.dumps(seen.body)
        found = re.search(r"(?:PART|TASK) ([0-9a-f]{12})", text)
        if found is None:
            words = seen.prompt.split()
            return Say(body=completion(f"said {words[-1]}{'!' * (len(words) - 1)}", model="m-1"))
        self.asked.append(self.model)
        better = {"better": "1"} if "answer_1" in text.lower() else {"score": 4}
        verdict = json.dumps({"case": found[1], "reason": "fine", **better})
        return Say(body=completion(verdict, model=self.model, system_fingerprint=self.mark))


@pytest.fixture
def serving() -> Iterator[tuple[Serving, FaultServer]]:
    played = Serving()
    with FaultServer(played) as server:
        yield played, server


def opened(folder: Path, server: FaultServer) -> Lab:
    return Lab(folder, models={name: EndpointModel(base_url=server.url) for name in "mj"})


def evaluated(
    lab: Lab, versions: list[Any], rows: int, scorers: list[Any], *, fresh: bool = False
) -> tuple[Study, list[str]]:
    """The study of the first rows, and what was said of another model."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        study = lab.evaluate(versions, ROWS[:rows], scorers, fresh=fresh).wait()
    assert study.status == "finished"
    return study, [str(each.message) for each in said if "more than one" in str(each.message)]


def embedding(server: FaultServer) -> Callable[[], Scorer]:
    made = EndpointEmbedder("e", base_url=server.url, api_key="k-123456")
    return lambda: similar_meaning(embedder=made)


def test_a_judge_swapped_within_the_first_pass_is_said(tmp_path: Path) -> None:
    """Though one model answered every question."""
    names = iter(["judge-1", "judge-1", "judge-2", "judge-2"])

    class Swapping(Serving):
        def __call__(self, seen: Seen) -> Say:
            if re.search(r"(?:PART|TASK) [0-9a-f]{12}", json.dumps(seen.body)):
                self.model = next(names)
            return super().__call__(seen)

    with FaultServer(Swapping()) as server:
        lab = opened(tmp_path, server)
        version = lab.prompt("p").save("{{q}}", model="m")
        [said] = evaluated(lab, [version], 4, [rubric("Is it ok?", judge="j", name="ok")])[1]
    assert "judge-1 (2), judge-2 (2)" in said


def test_a_swapped_judge_is_shown_wherever_the_study_is(
    tmp_path: Path, serving: tuple[Serving, FaultServer]
) -> None:
    """Half of the scores are of the judge before: one sentence names both, whose scores they are,
    and `fresh=True`; a lab that is opened later says it too.
    """
    played, server = serving
    lab = opened(tmp_path, server)
    one, two = (lab.prompt("p").save(text, model="m") for text in ("{{q}}", "Now {{q}}"))
    scorers = [rubric("Is it ok?", judge="j", name="ok")]
    assert evaluated(lab, [one], 4, scorers)[1] == []
    played.model = "judge-2"
    study, said = evaluated(lab, [one, two], 6, scorers)
    sentence = (
        f"Scores of v1 and v2 by {study.recorded.record.primary} are of more than one model:"
        " judge-1 (4 of v1), judge-2 (2 of v1, 6 of v2); evaluate(..., fresh=True) asks all of"
        " them again."
    )
    assert said == [sentence]
    for shown in (study, Lab(tmp_path).study(study.name)):
        faces = {**faces_of(shown), "leaderboard": "\n".join(shown.leaderboard().notes)}
        assert {
            name: text[:300]
            for name, text in faces.items()
            if sentence.rstrip(".") not in html.unescape(text)
        } == {}


@pytest.mark.parametrize("kind", ["rubric", "pairwise", "embedder", "part of all_of"])
def test_fresh_asks_the_judge_again(
    kind: str, tmp_path: Path, serving: tuple[Serving, FaultServer]
) -> None:
    """Equal answers are equal questions to the judge: with fresh=True they are asked all the same,
    and nothing is left to say.
    """
    played, server = serving
    lab = opened(tmp_path, server)
    one, two = (lab.prompt("p").save(text, model="m") for text in ("{{q}}", "Now {{q}}"))

    embedded = embedding(server)()
    scorer: Any = {
        "rubric": lambda: rubric("Is it ok?", judge="j"),
        "pairwise": lambda: pairwise("clearer", against=one, judge="j"),
        "embedder": lambda: embedded,
        "part of all_of": lambda: all_of(embedded.at_least(0.1), rubric("ok?", judge="j")),
    }[kind]()
    evaluated(lab, [one, two], 2, [scorer])
    assert {"judge-1"} == set(played.asked)
    played.model = "judge-2"
    study, said = evaluated(lab, [one, two], 5, [scorer])
    [sentence] = said
    assert "judge-1 (" in sentence
    assert "judge-2 (" in sentence
    played.asked.clear()
    study, said = evaluated(lab, [one, two], 5, [scorer], fresh=True)
    assert said == []
    assert set(played.asked) == {"judge-2"}
    [(by,)] = lab.project.store.rows(
        "select distinct judged_by from scores s join study_runs m on m.run_id = s.run_id where"
        " m.study_id = ? and judged_by is not null",
        [study.recorded.id],
    )
    assert {name for name, _ in json.loads(by)} == {"judge-2"}
    played.asked.clear()
    evaluated(lab, [one, two], 5, [scorer])
    assert played.asked == []


def test_fingerprints_of_a_judge_that_follow_each_other_are_said(
    tmp_path: Path, serving: tuple[Serving, FaultServer]
) -> None:
    played, server = serving
    lab = opened(tmp_path, server)
    version = lab.prompt("p").save("{{q}}", model="m")
    scorers = [equals(), rubric("Is it ok?", judge="j", name="ok")]
    evaluated(lab, [version], 3, scorers)
    played.mark = "later"
    _, [said] = evaluated(lab, [version], 6, scorers)
    assert "fingerprint fp (3), then fingerprint later (3)" in said


def test_scorers_that_ask_nobody_leave_the_column_empty(
    tmp_path: Path, serving: tuple[Serving, FaultServer]
) -> None:
    """A judge names its model, a rule none, and one model alone is not said."""
    _, server = serving
    lab = opened(tmp_path, server)
    version = lab.prompt("p").save("{{q}}", model="m")
    study, _ = evaluated(lab, [version], 3, [equals(), rubric("Is it ok?", judge="j", name="ok")])
    found = lab.project.store.rows("select scorer, judged_by from scores")
    by = {str(scorer): given for scorer, given in found}
    assert [given for scorer, given in by.items() if "ok" not in scorer] == [None]
    assert [json.loads(given) for scorer, given in by.items() if "ok" in scorer] == [
        [["judge-1", "fp"]]
    ]
    record = study.recorded.record
    assert other_models(lab.project.store, record.sources(), record.scorers) == []


def test_answers_of_earlier_studies_that_are_pooled_are_looked_at_too(
    tmp_path: Path, serving: tuple[Serving, FaultServer]
) -> None:
    """fresh=True mends the study, while its comparison still counts what was answered before: the
    sentence says so, and counts each answer once.
    """
    played, server = serving
    lab = opened(tmp_path, server)
    one, two = (lab.prompt("p").save(text, model="m") for text in ("{{q}}", "Now {{q}}"))
    scorers = [rubric("Is it ok?", judge="j", name="ok"), equals()]
    evaluated(lab, [one, two], 4, scorers)
    played.model = "judge-2"
    study, said = evaluated(lab, [one, two], 4, scorers, fresh=True)
    assert said == study.recorded.mixed() == []
    found = [note for note in study.compare().notes if "more than one" in note]
    assert len(found) == 1
    assert "judge-1 (4 of v1, 4 of v2), judge-2 (4 of v1, 4 of v2)" in found[0]
    assert "earlier studies count here" in found[0]


def test_vectors_of_different_models_are_never_compared(
    serving: tuple[Serving, FaultServer],
) -> None:
    """Kept vectors are asked for again once another model answers, and its name is noted."""
    played, server = serving
    vectors = Vectors(EndpointEmbedder("e", base_url=server.url, api_key="k-123456"))

    async def of(*texts: str, since: str = "") -> tuple[list[int], str | None]:
        noted = JudgedBy(since)
        case = Case("", Example("e", {}), RUN, judged_by=noted)
        found: Any = vectors.of(list(texts), [case])
        return [len(vector) for vector in await found], noted.text

    async def played_through() -> None:
        assert await of("a", "b") == ([3, 3], '[["judge-1",null]]')
        played.model = "judge-2"
        assert await of("a") == ([3], '[["judge-1",null]]')
        assert await of("a", "", "c") == ([4, 0, 4], '[["judge-2",null]]')
        assert len(played.asked) == 3
        assert await of("a", "c") == ([4, 4], '[["judge-2",null]]')
        assert len(played.asked) == 3
        assert await of("a", since="2026") == ([4], '[["judge-2",null]]')
        assert await of("a", since="2026") == ([4], '[["judge-2",null]]')
        assert len(played.asked) == 4

    asyncio.run(played_through())

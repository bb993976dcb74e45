"""The main road in a lab: save, ask, evaluate, compare, promote, roll back; twice over, after a
restart, and with bad input.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import promptops
from promptops.engine.question import Limits
from promptops.errors import (
    CallError,
    DatasetError,
    NotDeployed,
    Refused,
    RegistryCorrupt,
    RegistryError,
    RenderError,
    ScorerError,
    SetupError,
    StoreError,
    StudyError,
    VersionError,
)
from promptops.lab import Dataset, Guardrail, Lab, Policy, Study
from promptops.models.scripted import ScriptedModel
from promptops.registry import needs
from promptops.scorers import contains, equals, json_has, scorer, similar_to
from promptops.study.ask import Asker
from promptops.study.asking_order import order
from promptops.study.promotion_basis import evidence_of

TICKETS = [
    {"id": f"t{i}", "ticket": f"ticket number {i}", "expected": "yes" if i % 4 else "no"}
    for i in range(40)
]
MakeLab = Callable[..., Lab]


def always(text: str) -> ScriptedModel:
    return ScriptedModel(lambda request: text, label=f"always-{text}")


def lenient(request: dict[str, Any]) -> str:
    """Right for every "yes" and wrong for every "no", half of them "maybe": more than one answer,
    as the gate asks.
    """
    text = str(request["messages"][-1]["content"])
    return "maybe" if text.endswith((" 0", " 8", " 16", " 24", " 32")) else "yes"


def by_number(request: dict[str, Any]) -> str:
    """Right for all tickets: it reads the number."""
    return "yes" if int(request["messages"][-1]["content"].split()[-1]) % 4 else "no"


@pytest.fixture
def road(make_lab: MakeLab) -> tuple[Lab, Any, Any, Dataset]:
    """A lab with two models: "yes" is right on three of four tickets, "smart" on all."""
    lab = make_lab(
        models={
            "yes": ScriptedModel(lenient, label="lenient"),
            "smart": ScriptedModel(by_number, label="smart"),
        }
    )
    prompt = lab.prompt("triage")
    return (
        lab,
        prompt.save("Judge: {{ticket}}", model="yes", note="first"),
        prompt.save("Judge well: {{ticket}}", model="smart"),
        Dataset.read(TICKETS),
    )


def quietly(action: Callable[[], Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return action()


def walk(lab: Lab, v1: Any, v2: Any, data: Dataset) -> Any:
    """All cells of the quickstart's kind."""
    v2(ticket="ticket number 4")
    study = lab.evaluate([v1, v2], data, scorers=[equals()])
    study.compare(candidate=v2, baseline=v1)
    quietly(lambda: lab.promote(v1, env="prod", study=study))
    quietly(lambda: lab.promote(v2, env="prod", study=study))
    lab.rollback(v2, env="prod")
    return study


def test_the_road_end_to_end(road: tuple[Lab, Any, Any, Dataset]) -> None:
    """The better version wins by an exact test, is promoted on committed evidence, served, and
    rolled back.
    """
    lab, v1, v2, data = road
    study = lab.evaluate([v1, v2], data, scorers=[equals()])
    comparison = study.compare(candidate=v2, baseline=v1)
    assert (comparison.primary.wins, comparison.primary.losses, comparison.primary.n) == (10, 0, 40)
    assert comparison.primary.p_better == pytest.approx(0.5**10)
    assert comparison.verdict.decision == "promote"
    first = lab.promote(v1, env="prod", study=study)
    assert (first.number, first.kind, first.changed) == (1, "promote", True)
    second = lab.promote(v2, env="prod", study=study)
    assert second.number == 2
    assert (
        lab.project.location.registry.parent / "promptops.evidence" / f"{second.evidence[:32]}.json"
    ).exists()
    assert (
        promptops.load("triage", env="prod", registry=str(lab.project.location.registry)).messages(
            ticket="x"
        )[0]["content"]
        == "Judge well: x"
    )
    assert lab.rollback(v2, env="prod", reason="trial").number == 1
    assert (
        promptops.load("triage", env="prod", registry=str(lab.project.location.registry)).number
        == 1
    )
    assert lab.rollback(v2, env="prod") is None  # it no longer serves
    assert [entry.kind for entry in lab.history("triage", env="prod")] == [
        "promote",
        "promote",
        "rollback",
    ]


def test_run_all_twice_makes_no_call_no_row_and_leaves_the_registry_byte_identical(
    road: tuple[Lab, Any, Any, Dataset],
) -> None:
    """The second pass changes nothing anywhere, in the same process and in a new lab over the same
    folder.
    """
    lab, v1, v2, data = road
    walk(lab, v1, v2, data)
    before = (
        counts(lab),
        lab.project.location.registry.read_bytes(),
        len(lab.project.model("yes").calls) + len(lab.project.model("smart").calls),
    )
    walk(
        lab,
        lab.prompt("triage").save("Judge: {{ticket}}", model="yes", note="first"),
        lab.prompt("triage").save("Judge well: {{ticket}}", model="smart"),
        data,
    )
    assert (
        counts(lab),
        lab.project.location.registry.read_bytes(),
        len(lab.project.model("yes").calls) + len(lab.project.model("smart").calls),
    ) == before
    other = Lab(
        lab.project.location.root,
        models={
            "yes": ScriptedModel(lenient, label="lenient"),
            "smart": ScriptedModel(by_number, label="smart"),
        },
    )
    walk(other, other.prompt("triage")[1], other.prompt("triage")[2], Dataset.read(TICKETS))
    assert (counts(other), other.project.location.registry.read_bytes()) == before[:2]
    assert not other.project.model("smart").calls


def counts(lab: Lab) -> dict[str, int]:
    tables = (
        "runs",
        "attempts",
        "scores",
        "studies",
        "study_runs",
        "study_events",
        "versions",
        "datasets",
        "examples",
        "verdicts",
    )
    return {table: lab.store.rows(f"select count(*) from {table}")[0][0] for table in tables}


def test_a_study_comes_back_after_a_restart(road: tuple[Lab, Any, Any, Dataset]) -> None:
    """By name, id and collection: config, runs, scores and comparison are those of before."""
    lab, v1, v2, data = road
    study = lab.evaluate([v1, v2], data, scorers=[equals()])
    other = Lab(lab.project.location.root)
    found = other.study(study.name)
    assert (found.id, found.status, len(found.runs()), len(found.scores())) == (
        study.id,
        "finished",
        80,
        80,
    )
    assert (
        found.compare(candidate="v2", baseline="v1").statement()
        == study.compare(candidate=v2, baseline=v1).statement()
    )
    assert other.study(study.id[:12]).name == study.name
    assert study.name in other.studies.names
    with pytest.raises(StudyError, match=r"did you mean .*\?$"):
        other.study(study.name[:-1])


def test_asking_once_is_recorded_reused_and_asked_anew(road: tuple[Lab, Any, Any, Dataset]) -> None:
    """The same question costs nothing the second time; fresh=True asks; a study reuses the
    answer.
    """
    lab, _, v2, data = road
    first, again = v2(ticket="ticket number 4"), v2(ticket="ticket number 4")
    assert (first.text, first.reused, again.reused, again.run.id) == (
        "no",
        False,
        True,
        first.run.id,
    )
    assert v2(ticket="ticket number 4", fresh=True).run.id != first.run.id
    lab.evaluate([v2], data.filter(lambda example: example.id == "t4"), scorers=[equals()])
    assert len(lab.project.model("smart").calls) == 2
    assert "asked before" in repr(again)


def test_refused_without_evidence_and_with_evidence_that_does_not_carry(
    road: tuple[Lab, Any, Any, Dataset],
) -> None:
    """Every refusal names what is unmet and the next step; forcing needs a reason and stays
    visible.
    """
    lab, v1, v2, data = road
    with pytest.raises(Refused, match="no evidence"):
        lab.promote(v1, env="prod")
    study = lab.evaluate([v1, v2], data, scorers=[equals()])
    lab.promote(v2, env="prod", study=study)
    with pytest.raises(Refused) as refused:
        lab.promote(v1, env="prod", study=study)
    assert any("worse" in reason for reason in refused.value.reasons)
    with pytest.raises(Refused, match="reason"):
        lab.promote(v1, env="prod", study=study, force=True)
    forced = lab.promote(v1, env="prod", study=study, force=True, reason="an experiment")
    assert forced.forced
    assert [entry.forced for entry in lab.history("triage", env="prod")] == [False, True]
    third = lab.prompt("triage").save("Another: {{ticket}}", model="smart")
    alone = lab.evaluate([third], data, scorers=[equals()])
    with pytest.raises(Refused, match="of a first deployment, against nothing, but prod serves v1"):
        lab.promote(third, env="prod", study=alone)


def test_a_rerun_cell_whose_version_was_superseded_changes_nothing(
    road: tuple[Lab, Any, Any, Dataset],
) -> None:
    """Promoting v1 again, on its own study alone, once v2 serves: no error, no change, a warning
    that says why.
    """
    lab, v1, v2, data = road
    alone = lab.evaluate([v1], data, scorers=[equals()])
    lab.promote(v1, env="prod", study=alone)
    lab.promote(v2, env="prod", study=lab.evaluate([v1, v2], data, scorers=[equals()]))
    before = lab.project.location.registry.read_bytes()
    with pytest.warns(UserWarning, match="unchanged"):
        assert not lab.promote(v1, env="prod", study=alone).changed
    assert lab.project.location.registry.read_bytes() == before


def test_an_ungated_environment_asks_for_nothing(road: tuple[Lab, Any, Any, Dataset]) -> None:
    """dev takes any saved version, without a study."""
    lab, v1, _, _ = road
    assert lab.promote(v1, env="dev").number == 1
    assert lab.project.registry.environments("triage") == {"dev": 1}


def test_a_target_is_evaluated_with_the_candidate_served_inside(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    """A script with one `load` and its own function around it is evaluated on three candidates with
    two added lines.
    """
    lab = make_lab()
    prompt = lab.prompt("greet")
    candidates = [prompt.save(f"{word} {{{{name}}}}") for word in ("Hello", "Hi", "Dear")]
    lab.promote(candidates[0], env="prod", force=True, reason="what the script serves")
    registry = str(lab.project.location.registry)

    def answer(name: str) -> str:
        return (
            promptops.load("greet", env="prod", registry=registry)
            .messages(name=name)[0]["content"]
            .upper()
        )

    assert answer("Ada") == "HELLO ADA"
    study = lab.evaluate(
        candidates, [{"id": "a", "name": "Ada", "expected": "HI ADA"}], [equals()], target=answer
    )
    outputs = study.runs().set_index("arm")["output"].to_dict()
    assert outputs == {"v1": "HELLO ADA", "v2": "HI ADA", "v3": "DEAR ADA"}
    assert study.runs()["role"].unique().tolist() == ["target"]


def test_one_failing_example_never_stops_a_study(make_lab: MakeLab) -> None:
    """Failures of both kinds are rows; the others are scored; running the cell again asks only what
    nobody answered.
    """
    failing = ScriptedModel(
        by_number, label="flaky", failures={3: "server_error", 5: "refusal", 7: ValueError("odd")}
    )
    lab = make_lab(models={"m": failing})
    v1 = lab.prompt("p").save("{{ticket}}", model="m")
    study = lab.evaluate([v1], Dataset.read(TICKETS), scorers=[equals()])
    failures = study.runs()["failure"].dropna().tolist()
    assert sorted(failures) == ["internal", "refusal", "server_error"]
    assert len(study.runs()) == 40
    assert len(study.scores()) == 38  # the refusal is the model's own: it is scored as a failure
    again = lab.evaluate([v1], Dataset.read(TICKETS), scorers=[equals()])
    assert again.id == study.id
    assert len(failing.calls) == 42
    assert lab.store.rows(
        "select count(distinct m.example_id) from study_runs m join runs r on r.id = m.run_id where"
        " r.failure is null or r.failure = 'refusal'"
    ) == [(40,)]


def test_a_grid_of_texts_and_models(make_lab: MakeLab) -> None:
    """Each version on each model, with text and model as columns of their own."""
    lab = make_lab(models={"yes": always("yes"), "no": always("no")})
    prompt = lab.prompt("p")
    v1, v2 = prompt.save("A {{ticket}}"), prompt.save("B {{ticket}}")
    study = lab.evaluate([v1, v2], Dataset.read(TICKETS), [equals()], models=["yes", "no"])
    assert study.record.labels == ("v1 · yes", "v1 · no", "v2 · yes", "v2 · no")
    assert study.runs().groupby(["arm", "model"]).size().tolist() == [40, 40, 40, 40]
    assert [standing.label for standing in study.leaderboard().standings][:2] == [
        "v1 · yes",
        "v2 · yes",
    ]


def test_repeats_are_averaged_within_examples_and_the_noise_floor_is_measured(
    make_lab: MakeLab,
) -> None:
    """Two repeats of 40 examples are 40 pairs; asked against itself, a version shows its noise, and
    comparisons show that.
    """
    seen: dict[str, int] = {}

    def moody(request: dict[str, Any]) -> str:
        text = request["messages"][-1]["content"]
        seen[text] = seen.get(text, 0) + 1
        return by_number(request) if (int(text.split()[-1]) + seen[text]) % 5 else "?"

    lab = make_lab(models={"moody": ScriptedModel(moody, label="moody"), "yes": always("yes")})
    prompt = lab.prompt("p")
    v1, v2 = prompt.save("A {{ticket}}", model="yes"), prompt.save("B {{ticket}}", model="moody")
    data = Dataset.read(TICKETS)
    study = lab.evaluate([v1, v2], data, [equals()], repeats=2)
    assert (
        study.compare(candidate=v2, baseline=v1).primary.n,
        study.compare(candidate=v2, baseline=v1).primary.repeats,
    ) == (40, 2)
    noise = v2.noise(data, [equals()])
    assert (noise.primary.n, noise.primary.wins + noise.primary.losses) == (40, 16)
    assert len(lab.project.model("moody").calls) == 80  # the study's answers are reused
    assert any("differs by" in note for note in study.compare(candidate=v1, baseline=v2).notes)


def test_rescoring_calls_no_model_and_keeps_both_sets_of_scores(
    road: tuple[Lab, Any, Any, Dataset],
) -> None:
    """Other scorers over the same answers are a study of the same runs."""
    lab, v1, v2, data = road
    study = lab.evaluate([v1, v2], data, scorers=[equals()])
    calls = len(lab.project.model("smart").calls)

    @scorer
    def is_short(output: str) -> bool:
        return len(output) < 3

    again = study.rescore([is_short, similar_to(at_least=0.5)])
    assert len(lab.project.model("smart").calls) == calls
    assert again.record.scorer_names == ("is_short", "similar_to(expected)>=0.5")
    assert len(again.scores()) == 160
    assert len(study.scores()) == 80
    assert study.rescore([is_short, similar_to(at_least=0.5)]).id == again.id


def test_a_plan_fixes_the_split_before_the_runs(road: tuple[Lab, Any, Any, Dataset]) -> None:
    """The study runs on the planned split only, the comparison says that it was planned, and a
    change of mind is refused.
    """
    lab, v1, v2, data = road
    plan = lab.plan("triage", data, [equals()], policy=Policy(goal="better"))
    assert plan.id == lab.plan("triage", data, [equals()], policy=Policy(goal="better")).id
    study = lab.evaluate([v1, v2], data, plan=plan)
    assert study.record.dataset.n == len(data.test)
    comparison = study.compare(candidate=v2, baseline=v1)
    assert comparison.grounds.tested
    assert not any("Not split-tested" in note for note in comparison.notes)
    with pytest.raises(StudyError, match="plan"):
        lab.evaluate([v1, v2], data, [json_has("x")], plan=plan)
    assert plan.examples_for(0.10, disagree=0.20) == 134  # statistics contract, section 9


def test_an_estimate_asks_nothing(road: tuple[Lab, Any, Any, Dataset]) -> None:
    """Calls, reuse and tokens are known before; an unknown price is said, never zero."""
    lab, v1, v2, data = road
    estimate = lab.estimate([v1, v2], data, [equals()])
    assert (estimate.calls, estimate.reused) == (80, 0)
    assert not lab.project.model("smart").calls
    lab.evaluate([v1, v2], data, [equals()])
    assert (
        lab.estimate([v1, v2], data, [equals()]).calls,
        lab.estimate([v1, v2], data, [equals()], repeats=2).calls,
    ) == (0, 80)


@pytest.mark.parametrize(
    ("action", "error", "says"),
    [
        (lambda lab, v, d: v(), RenderError, "missing ticket"),
        (lambda lab, v, d: lab.prompt("Bad Name"), RegistryError, "not valid"),
        (
            lambda lab, v, d: promptops.load(
                "nobody", env="prod", registry=str(lab.project.location.registry)
            ),
            KeyError,
            "nobody",
        ),
        (
            lambda lab, v, d: promptops.load(
                "triage", env="prod", registry=str(lab.project.location.registry)
            ),
            NotDeployed,
            "prod",
        ),
        (lambda lab, v, d: lab.evaluate([v], []), DatasetError, "no examples"),
        (lambda lab, v, d: lab.evaluate([], d), StudyError, "at least one version"),
        (lambda lab, v, d: lab.evaluate([v, v], d), StudyError, "twice"),
        (lambda lab, v, d: lab.evaluate([v], d, repeats=0), StudyError, "at least 1"),
        (lambda lab, v, d: lab.evaluate([v], [{"question": "x"}]), DatasetError, "ticket"),
        (
            lambda lab, v, d: lab.evaluate([v], [{"ticket": "x"}], [equals()]),
            ScorerError,
            "expected",
        ),
        (lambda lab, v, d: lab.evaluate([v], d, [equals(), equals()]), ScorerError, "two scorers"),
        (
            lambda lab, v, d: lab.evaluate([v], d, models=["gpt-4o-mini"]),
            SetupError,
            "OPENAI_API_KEY",
        ),
        (
            lambda lab, v, d: lab.evaluate([v], d, target=lambda other, one: "x"),
            SetupError,
            "other",
        ),
        (
            lambda lab, v, d: lab.evaluate([v], d, budget_usd=1.0, models=["unpriced"]),
            SetupError,
            "OPENAI_API_KEY",
        ),
        (lambda lab, v, d: lab.rollback(v, env="prod"), NotDeployed, "nothing to roll back"),
        (lambda lab, v, d: lab.promote("triage", env="prod"), StudyError, "save it first"),
        (lambda lab, v, d: lab.study("nope"), StudyError, "nope"),
        (lambda lab, v, d: lab.prompt("triage")[9], StudyError, "saved: v1"),
    ],
)
def test_bad_input_answers_with_one_sentence(
    road: tuple[Lab, Any, Any, Dataset],
    action: Callable[..., Any],
    error: type[Exception],
    says: str,
) -> None:
    """Before anything is asked: what is wrong, and what to do."""
    lab, v1, _, data = road
    with pytest.raises(error) as raised:
        action(lab, v1, data)
    assert says in str(raised.value)
    assert not lab.project.model("yes").calls
    assert not lab.store.rows("select 1 from studies")


def test_rolling_back_the_first_deployment(road: tuple[Lab, Any, Any, Dataset]) -> None:
    """There is nothing to go back to, which is said."""
    lab, v1, _, _ = road
    lab.promote(v1, env="dev")
    with pytest.raises(NotDeployed, match=r"nothing to go back to|no earlier"):
        lab.rollback(v1, env="dev")


def test_a_registry_that_is_not_json(road: tuple[Lab, Any, Any, Dataset]) -> None:
    """It is said, with the path, and nothing is overwritten."""
    lab, _, _, _ = road
    lab.project.location.registry.write_text("{ not json", encoding="utf-8")
    with pytest.raises(RegistryCorrupt, match=r"promptops\.json"):
        lab.prompt("triage").save("New {{ticket}}")
    assert lab.project.location.registry.read_text(encoding="utf-8") == "{ not json"


def test_an_unreachable_endpoint_stops_early_and_says_what_to_fix(make_lab: MakeLab) -> None:
    """Nobody listens: a single call raises, a study ends with the reason and keeps its rows."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    from openai import OpenAI

    lab = make_lab(models={"gone": OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="k")})
    v1 = lab.prompt("p").save("{{ticket}}", model="gone")
    with pytest.warns(UserWarning, match="stopped"):
        study = lab.evaluate([v1], Dataset.read(TICKETS), [equals()], deadline_s=2.0)
    assert study.status in ("stopped", "finished")
    assert set(study.runs()["failure"]) <= {
        "connection",
        "timeout_connect",
        "cancelled",
        "circuit_open",
    }
    with pytest.raises(CallError):
        Asker(lab.project, Limits(deadline_s=2.0)).call(
            v1.version, {"ticket": "x"}, prompt="p", label="v1", fresh=False
        )


def test_formats_are_warned_about_and_settings_travel(make_lab: MakeLab) -> None:
    """`{ticket}` where {{ticket}} was meant is said; settings and response format reach the
    request.
    """
    lab = make_lab()
    with pytest.warns(UserWarning, match="from_format"):
        lab.prompt("p").save("Classify {ticket}")
    version = lab.prompt("p").save(
        "Classify {{ticket}}",
        model="m",
        temperature=0,
        max_tokens=5,
        response_format={"type": "json_object"},
    )
    request = version.request(ticket="x")
    assert (
        request["temperature"],
        request["max_tokens"],
        request["response_format"],
        request["model"],
    ) == (
        0,
        5,
        {"type": "json_object"},
        "m",
    )


# The decided names of the notebook's door; live, watch, optimize and import_from come with theirs.
DECIDED = {
    "store",
    "prompt",
    "prompts",
    "study",
    "studies",
    "evaluate",
    "estimate",
    "plan",
    "compare",
    "leaderboard",
    "optimize",
    "import_from",
    "import_runs",
    "promote",
    "rollback",
    "history",
    "live",
    "watch",
    "runs",
    "sql",
    "dashboard",
    "bulk",
    "playground",
}


def test_lab_and_study_have_only_the_decided_public_names() -> None:
    """The notebook's door stays small: a Lab has the decided names, a Study at most 18."""
    assert {name for name in dir(Lab) if not name.startswith("_")} <= DECIDED
    study = {name for name in dir(Study) if not name.startswith("_")} | {"recorded"}
    assert len(study) <= 18, sorted(study)


def test_every_noun_shows_itself(road: tuple[Lab, Any, Any, Dataset]) -> None:
    """Each has a bare repr on one or few lines, and an HTML view that holds no raw text of ours to
    be rendered.
    """
    lab, v1, v2, data = road
    study = lab.evaluate([v1, v2], data, scorers=[equals()])
    comparison = study.compare(candidate=v2, baseline=v1)
    deployment = lab.promote(v1, env="prod", study=study)
    nouns = [
        lab,
        lab.prompts,
        lab.prompt("triage"),
        v1,
        data,
        study,
        lab.studies,
        comparison,
        comparison.verdict,
        deployment,
        lab.history("triage"),
        study.leaderboard(),
        v2(ticket="ticket number 1"),
        lab.estimate([v1], data),
    ]
    for noun in nouns:
        text = repr(noun)
        assert 0 < len(text) < 1200, type(noun)
        if noun is not comparison.verdict:
            assert "<" in noun._repr_html_(), type(noun)
    assert "triage" in lab.prompts.names
    assert "ticket" in data._ipython_key_completions_()


def test_import_of_the_lab_is_light() -> None:
    """`import promptops.lab` loads nothing heavy before it is needed."""
    code = (
        "import sys, promptops.lab; print(sorted({'numpy', 'pandas', 'scipy', 'duckdb', 'plotly',"
        " 'openai', 'ipywidgets', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_import_of_what_a_study_asks_with_is_light() -> None:
    """What asks the questions of a study imports neither its statistics nor scorers that it does
    not use.
    """
    code = (
        "import sys; from promptops.lab import Dataset, Lab; from promptops.scorers import equals;"
        " print(sorted({'promptops.analysis.compare', 'promptops.scorers.ifeval',"
        " 'promptops.study.examples', 'promptops.engine.batch_pass', 'numpy', 'pandas', 'duckdb',"
        " 'aiohttp', 'promptops.scorers.assertion', 'promptops.models.function_identity',"
        " 'zipfile'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['promptops.scorers.assertion']"


def test_imported_outputs_are_there_once(make_lab: MakeLab) -> None:
    """The same table imported twice is one study with the same rows; an unknown example is
    named.
    """
    lab = make_lab()
    data = Dataset.read(TICKETS)
    table = [
        {"example_id": row["id"], "version": v, "output": row["expected"]}
        for v in ("a", "b")
        for row in TICKETS
    ]
    first = lab.import_runs(table, data, [equals()])
    before = counts(lab)
    assert lab.import_runs(table, data, [equals()]).id == first.id
    assert counts(lab) == before
    assert first.compare(candidate="b", baseline="a").verdict.decision == "inconclusive"
    with pytest.raises(StudyError, match="nobody"):
        lab.import_runs([{"example_id": "nobody", "version": "a", "output": "x"}], data)


def test_the_report_is_one_file_that_loads_nothing(
    road: tuple[Lab, Any, Any, Dataset], tmp_path: Path
) -> None:
    """Self-contained HTML: no address outside, hostile output only as text, and the comparison's
    statement in it.
    """
    lab, v1, v2, _ = road
    hostile = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
    data = Dataset.read(
        [
            {"id": f"h{i}", "ticket": f"{hostile} {i}", "expected": "yes" if i % 4 else "no"}
            for i in range(20)
        ]
    )
    study = lab.evaluate([v1, v2], data, scorers=[equals()])
    text = study.report(tmp_path / "r.html").read_text(encoding="utf-8")
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text
    assert "<img" not in text
    assert text.count("<script>") == 1
    assert json.dumps(hostile)[1:-1] not in text
    assert len(text) < 1_000_000


def test_a_policy_is_kept_in_the_registry_and_decides(road: tuple[Lab, Any, Any, Dataset]) -> None:
    """Guardrails and least numbers set on a prompt refuse what the default would let through; the
    default is the registry's.
    """
    lab, v1, v2, data = road
    study = lab.evaluate([v1, v2], data, scorers=[equals()])
    lab.promote(v1, env="prod", study=study)
    lab.prompt("triage").policy = Policy(min_n=100)
    with pytest.raises(Refused, match="100"):
        lab.promote(v2, env="prod", study=study)
    assert json.loads(lab.project.location.registry.read_text(encoding="utf-8"))["prompts"][
        "triage"
    ]["policy"] == {"min_n": 100}
    lab.prompt("triage").policy = None
    lab.prompts.policy = Policy(min_effect=0.5)
    with pytest.raises(Refused, match="least effect"):
        lab.promote(v2, env="prod", study=study)
    lab.prompts.policy = None
    assert lab.prompt("triage").policy == Policy()
    assert lab.promote(v2, env="prod", study=study).number == 2


def test_a_canary_is_widened_finished_and_ended(road: tuple[Lab, Any, Any, Dataset]) -> None:
    """One call each; the share is in the history, and the loader stamps the arm."""
    lab, v1, v2, data = road
    study = lab.evaluate([v1, v2], data, scorers=[equals()])
    lab.promote(v1, env="prod", study=study)
    registry = str(lab.project.location.registry)

    def share() -> int:
        return sum(
            promptops.load("triage", env="prod", key=f"user-{k}", registry=registry).number == 2
            for k in range(400)
        )

    assert lab.promote(v2, env="prod", study=study, percent=10).percent == 10
    assert 15 <= share() <= 70
    assert lab.promote(v2, env="prod", study=study, percent=50).percent == 50
    assert 150 <= share() <= 250
    assert lab.rollback(v2, env="prod").number == 1
    assert share() == 0
    lab.promote(v2, env="prod", study=study, percent=5, override="another try")
    assert lab.promote(v2, env="prod", study=study, override="it held").number == 2
    assert share() == 400


def test_a_study_whose_calls_failed_says_so_in_one_line(make_lab: MakeLab) -> None:
    """One version or two, some or all calls: the repr counts the failures and quotes one, and never
    raises.
    """

    def down(request: dict[str, Any]) -> str:
        raise RuntimeError("the line is down")

    def half(request: dict[str, Any]) -> str:
        return (
            down(request)
            if int(request["messages"][-1]["content"].split()[-1]) % 2
            else by_number(request)
        )

    lab = make_lab(
        models={
            "down": ScriptedModel(down, label="down"),
            "half": ScriptedModel(half, label="half"),
        }
    )
    prompt, data = lab.prompt("p"), Dataset.read(TICKETS)
    v1, v2, v3 = (
        prompt.save("{{ticket}}", model="down"),
        prompt.save("A {{ticket}}", model="down"),
        prompt.save("{{ticket}}", model="half"),
    )
    assert (
        "Not one answer of v1 could be scored by equals(expected). 40 calls failed (40 internal):"
        " RuntimeError: the line is down" in repr(lab.evaluate([v1], data, [equals()]))
    )
    assert "over 20 examples. 20 calls failed (20 internal)" in repr(
        lab.evaluate([v3], data, [equals()])
    )
    assert "80 calls failed (80 internal): RuntimeError" in repr(
        lab.evaluate([v1, v2], data, [equals()])
    )


def test_slips_are_answered_well(
    road: tuple[Lab, Any, Any, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One version without a list is one version; a text for models is said; studies have places; a
    key that came later counts.
    """
    lab, v1, _, data = road
    study = lab.evaluate(v1, data, [equals()])  # type: ignore[arg-type]
    assert lab.study(0).id == study.id
    with pytest.raises(StudyError, match="there is no study 7"):
        lab.study(7)
    with pytest.raises(StudyError, match="pass a list"):
        lab.evaluate([v1], data, [equals()], models="smart")
    third = lab.prompt("triage").save("{{ticket}}", model="somebody-else")
    with pytest.raises(SetupError, match="OPENAI_API_KEY"):
        third(ticket="x")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-a-test-that-calls-nobody")
    lab.project.model("somebody-else").check(third.request(ticket="x"))


def test_the_version_that_serves_is_still_compared_with_another(
    road: tuple[Lab, Any, Any, Dataset],
) -> None:
    """By default the last arm is the candidate, also when it serves; outputs under an unsaved
    prompt's name are compared too.
    """
    lab, v1, v2, data = road
    study = lab.evaluate([v1, v2], data, [equals()])
    lab.promote(v2, env="prod", study=study)
    assert (study.compare().candidate.label, study.compare().baseline.label) == ("v2", "v1")
    assert (study.progress.peek().candidate.label, study.progress.peek().baseline.label) == (
        "v2",
        "v1",
    )
    table = [
        {"example_id": row["id"], "version": v, "output": "yes"}
        for v in ("a", "b")
        for row in TICKETS
    ]
    assert "right on equally many" in repr(
        lab.import_runs(table, data, [equals()], prompt="nobody-saved-it")
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"repeats": "3"}, "repeats is '3'; expected a whole number"),
        ({"repeats": 2.5}, "repeats is 2.5; expected a whole number"),
        ({"repeats": True}, "repeats is True; expected a whole number"),
        ({"concurrency": "3"}, "concurrency is '3'; give a number above 0"),
        ({"budget_usd": "3"}, "budget_usd is '3'; give 0 or more"),
    ],
)
def test_a_number_that_is_none_is_said(
    road: tuple[Lab, Any, Any, Dataset], options: dict[str, Any], says: str
) -> None:
    """Repeats and limits of another type are one sentence before anything is asked, also in a
    plan.
    """
    lab, v1, _, data = road
    with pytest.raises((StudyError, SetupError), match=says):
        lab.evaluate([v1], data, [equals()], **options)
    if "repeats" in options:
        with pytest.raises(StudyError, match=says):
            lab.plan("triage", data, [equals()], split=None, **options)
    assert not lab.project.model("yes").calls


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"models": ["yes"]}, r"models is a list; expected a map from model names to clients"),
        ({"models": "yes"}, r"models is the text 'yes'; expected a map"),
        ({"models": {"yes": 3}}, r"models\['yes'\] is int 3; pass a client of openai"),
        (
            {"models": {"yes": "gpt-4o"}},
            r"models\['yes'\] is the text 'gpt-4o'; pass a client of openai",
        ),
        ({"prices": [1.0, 2.0]}, r"prices is a list; expected a map"),
        ({"prices": {"m": "cheap"}}, r"the price of 'm' is 'cheap'; give \(input, output\)"),
    ],
)
def test_a_lab_is_not_opened_on_what_cannot_answer(
    make_lab: MakeLab, options: dict[str, Any], says: str
) -> None:
    """Models and prices are looked at when they are handed in: the thing, the fault, what was
    expected.
    """
    with pytest.raises(SetupError, match=says):
        make_lab(**options)


@pytest.mark.parametrize(
    ("text", "settings", "says"),
    [
        ("", {}, "triage would be saved without any text"),
        (" \n", {}, "triage would be saved without any text"),
        (
            [{"role": "system", "content": ""}, {"role": "user", "content": " "}],
            {},
            "without any text",
        ),
        (
            "{{ticket}}",
            {"temperature": "hot"},
            "setting 'temperature' is 'hot'; expected a number, as in temperature=0.2",
        ),
        ("{{ticket}}", {"temperature": True}, "setting 'temperature' is True; expected a number"),
        (
            "{{ticket}}",
            {"max_tokens": "10"},
            "setting 'max_tokens' is '10'; expected a whole number",
        ),
        ("{{ticket}}", {"max_tokens": 2.5}, "setting 'max_tokens' is 2.5; expected a whole number"),
        ("{{ticket}}", {"note": 3}, "note is a int; expected text"),
    ],
)
def test_what_is_certain_to_be_a_mistake_is_not_saved(
    make_lab: MakeLab, text: Any, settings: dict[str, Any], says: str
) -> None:
    """A version without a word, a number that is none, a note that is no text: refused before the
    registry is written.
    """
    lab = make_lab()
    with pytest.raises(VersionError, match=says):
        lab.prompt("triage").save(text, **settings)
    assert not lab.project.location.registry.exists()


def test_settings_that_nobody_knows_are_saved(make_lab: MakeLab) -> None:
    """Unknown keys, null, whole numbers as floats, a history alone and parts without text are the
    user's own business.
    """
    prompt = make_lab().prompt("triage")
    known = prompt.save(
        "{{ticket}}",
        temperature=None,
        max_tokens=20.0,
        seed=7,
        top_k="many",
        reasoning={"effort": "low"},
    )
    assert known.settings["top_k"] == "many"
    assert prompt.save([{"role": "history"}]).version.takes_history
    image = [{"type": "image_url", "image_url": {"url": "{{address}}"}}]
    assert prompt.save([{"role": "user", "content": image}]).number == 3


def test_a_policy_is_assigned_as_a_map(road: tuple[Lab, Any, Any, Dataset]) -> None:
    """A map of fields is the policy that it spells, for one prompt, for the registry, in a plan and
    for one decision.
    """
    lab, v1, v2, data = road
    prompt = lab.prompt("triage")
    prompt.policy = {
        "primary": "equals(expected)",
        "guardrails": [{"metric": "cost", "margin": 0.1}],
    }  # type: ignore[assignment]
    assert prompt.policy == Policy(primary="equals(expected)", guardrails=(Guardrail("cost", 0.1),))
    with pytest.raises(VersionError, match="unknown field 'prime'"):
        prompt.policy = {"prime": "equals(expected)"}  # type: ignore[assignment]
    prompt.policy = None  # type: ignore[assignment]
    lab.prompts.policy = {"alpha": 0.01}  # type: ignore[assignment]
    assert prompt.policy == Policy(alpha=0.01)
    study = lab.evaluate([v1, v2], data, [equals()])
    assert (
        study.compare(candidate=v2, baseline=v1).decide({"goal": "not_worse"}).policy.goal
        == "not_worse"
    )
    with pytest.raises(VersionError, match="a policy is 'better'"):
        prompt.policy = "better"  # type: ignore[assignment]


def test_completion_offers_the_names_of_the_door() -> None:
    """`dir(promptops.lab)` is what it exports, without the modules behind it."""
    import promptops.lab as door

    assert dir(door) == sorted(door.__all__)


@pytest.mark.parametrize("held", [0, 3, 39])
def test_a_script_that_is_asked_too_much_fails_the_study(make_lab: MakeLab, held: int) -> None:
    """A test whose script lacks an answer fails with the sentence that names it, however many
    answers there were, and keeps those.
    """
    lab = make_lab(models={"short": ScriptedModel(["yes"] * held, label="short")})
    v1, data = lab.prompt("p").save("{{ticket}}", model="short"), Dataset.read(TICKETS)
    with pytest.raises(
        SetupError,
        match=(
            rf"the script 'short' holds {held} answers and all were given; call {held} asks 'ticket"
            r" number \d+'"
        ),
    ) as failed:
        quietly(lambda: lab.evaluate([v1], data, [equals()]))
    study = lab.study(0)
    tickets = {example.id: example.inputs["ticket"] for example in data}
    assert repr(tickets[order(study.id, list(tickets))[held]]) in str(failed.value)
    assert study.status == "failed"
    with pytest.raises(SetupError, match="that the script has no answer to"):
        study.scores()
    assert lab.store.rows("select count(*) from runs where failure is null") == [(held,)]
    enough = make_lab(models={"short": ScriptedModel(["yes"] * 40, label="short")})
    again = enough.evaluate([v1], data, [equals()])
    assert (again.status, again.progress.reused) == ("finished", held)


def test_a_scripts_earlier_questions_are_not_a_later_studys(make_lab: MakeLab) -> None:
    """A script that could not answer one study serves another one without fault."""
    model = ScriptedModel({f"ticket number {i}": "yes" for i in range(20)}, label="map")
    lab = make_lab(models={"map": model})
    v1, data = lab.prompt("p").save("{{ticket}}", model="map"), Dataset.read(TICKETS)
    with pytest.raises(SetupError, match="knows 20 questions"):
        quietly(lambda: lab.evaluate([v1], data, [equals()], concurrency=1))
    assert lab.evaluate([v1], Dataset.read(TICKETS[:20]), [equals()]).status == "finished"


def test_an_interrupted_wait_says_what_is_kept(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interrupt goes upwards with the number of answers that are recorded; the same again asks
    only the rest.
    """
    pressed = threading.Event()

    async def answer(request: Any) -> str:
        while len(model.calls) > 20 and not pressed.is_set():
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.015)
        return "yes"

    model = ScriptedModel(answer, label="slow")
    lab = make_lab(models={"slow": model})
    v1, data = lab.prompt("p").save("{{ticket}}", model="slow"), Dataset.read(TICKETS)

    def impatient(progress: Any) -> None:
        while progress.calls.done < 3:
            time.sleep(0.002)
        raise KeyboardInterrupt

    monkeypatch.setattr("promptops.views.progress_view.follow", impatient)
    with pytest.raises(
        KeyboardInterrupt,
        match=r"^\d+ of 40 calls of p-\w+ are answered and kept; run the same again to go on\.$",
    ) as said:
        lab.evaluate([v1], data, [equals()], concurrency=1)
    pressed.set()
    kept = int(str(said.value).split()[0])
    assert 3 <= kept < 40
    assert lab.store.rows("select count(*) from runs where failure is null") == [(kept,)]
    monkeypatch.undo()
    assert lab.evaluate([v1], data, [equals()], concurrency=1).progress.reused == kept


def test_a_mended_scorer_judges_again_without_a_call(road: tuple[Lab, Any, Any, Dataset]) -> None:
    """An edited function is another version of the scorer: what it failed on is judged anew on the
    recorded answers.
    """
    lab, v1, _, data = road

    @scorer(name="mine")
    def broken(output: str) -> bool:
        return output.nonsense()  # type: ignore[attr-defined, no-any-return]

    @scorer(name="mine")
    def mended(output: str) -> bool:
        return output in ("yes", "maybe")

    failed = lab.evaluate([v1], data, [broken])
    assert set(failed.scores()["unscored"].str[:27]) == {"scorer_error: AttributeErro"}
    asked = len(lab.project.model("yes").calls)
    assert lab.evaluate([v1], data, [mended]).scores()["value"].tolist() == [1.0] * 40
    assert len(lab.project.model("yes").calls) == asked


@pytest.mark.parametrize("arms", [1, 2])
def test_an_answer_that_no_scorer_could_score_is_named_with_the_study(
    road: tuple[Lab, Any, Any, Dataset], arms: int
) -> None:
    """One answer without a score is not silently left out of the sentence about the others."""
    lab, v1, v2, data = road
    seen: list[str] = []

    @scorer
    def fails_once(output: str) -> bool:
        seen.append(output)
        if len(seen) == 3:
            raise ValueError("unreadable")
        return True

    study = lab.evaluate([v1, v2][:arms], data, [fails_once, equals()])
    said = (
        "Answers that could not be scored: 1 by fails_once (scorer_error: ValueError: unreadable)."
    )
    assert said in str(study)
    assert said in study.report().read_text("utf-8")
    if arms == 2:
        [next_step, *_] = study.compare().verdict.next
        assert next_step.startswith("Every answer is there: `study.scores()` says why")
    again = lab.evaluate([v1, v2][:arms], data, [equals()])
    assert "could not be scored" not in str(again)


def test_a_scorer_that_failed_is_asked_again_there_and_nowhere_else(
    road: tuple[Lab, Any, Any, Dataset],
) -> None:
    """A network that was down: `rescore(..., retry_failed=True)` asks about the failed answers
    only, and about none once all are judged.
    """
    lab, v1, _, data = road
    asked = list[str]()
    route = lab.project.root / "route"  # the network: nothing that the code of the scorer holds

    @scorer
    def remote(output: str, example: Any) -> bool:
        asked.append(example.id)
        if not route.exists() and int(example.id[1:]) >= 37:
            raise ConnectionError("no route to host")
        return True

    study = lab.evaluate([v1], data, [remote])
    lab.evaluate([v1], data, [remote])
    assert len(asked) == 40  # an error is final until somebody says otherwise
    asked.clear()
    assert study.rescore([remote], retry_failed=True).scores()["value"].count() == 37
    route.touch()
    again = study.rescore([remote], retry_failed=True)
    assert sorted(asked) == ["t37", "t37", "t38", "t38", "t39", "t39"]
    assert again.scores()["value"].tolist() == [1.0] * 40
    assert study.rescore([remote], retry_failed=True).id == again.id
    assert len(asked) == 6
    assert study.scores()["value"].count() == 37  # what was recorded stays


def test_a_pinned_example_holds_at_the_gate(road: tuple[Lab, Any, Any, Dataset]) -> None:
    """Pinning changes the policy: evidence that lacks the example no longer carries, the refusal
    says which and what to do, and evaluating on it does.
    """
    lab, v1, v2, data = road
    small = Dataset.read(TICKETS[:30])
    lab.promote(v1, env="prod", study=lab.evaluate([v1], small, [equals()]))
    study = lab.evaluate([v1, v2], small, [equals()])
    old = evidence_of(lab.project, v2, "prod", study.recorded)
    assert not study.gate(v2, env="prod")
    wider = lab.evaluate([v1, v2], data, [equals()])
    assert wider.review.pin("t39").must_pass == ("t39",)
    with pytest.raises(Refused) as refused:
        lab.promote(v2, env="prod", study=study)
    assert (
        "The must-pass example 't39' has no scored pair. Next: evaluate both versions on 't39'."
        in str(refused.value)
    )
    with pytest.raises(
        Refused, match="decided under another policy than the registry's. Next: decide again"
    ) as stale:
        lab.project.registry.promote("triage", v2.number, "prod", evidence=old, author="somebody")
    assert "The must-pass example 't39' has no score." in str(stale.value)
    assert lab.history("triage", env="prod").deployments[-1].number == v1.number
    assert (
        lab.promote(v2, env="prod", study=lab.evaluate([v1, v2], data, [equals()])).number
        == v2.number
    )


def test_a_pinned_example_that_the_candidate_fails_is_named(
    road: tuple[Lab, Any, Any, Dataset],
) -> None:
    """Better on the whole, and still refused: the example that must not break is named, and
    unpinning it lets the version go.
    """
    lab, v1, _, data = road
    model = ScriptedModel(
        lambda r: "no" if r["messages"][-1]["content"].endswith(" 5") else by_number(r),
        label="worse",
    )
    lab = Lab(
        lab.project.location.root,
        models={"yes": ScriptedModel(lenient, label="lenient"), "worse": model},
    )
    v3 = lab.prompt("triage").save("Judge so: {{ticket}}", model="worse")
    lab.promote(v1, env="prod", study=lab.evaluate([v1], data, [equals()]))
    study = lab.evaluate([v1, v3], data, [equals()])
    study.review.pin("t5")
    with pytest.raises(
        Refused, match="v3 fails the must-pass example 't5', which v1 passes. Next: fix 't5' first"
    ):
        lab.promote(v3, env="prod", study=study)
    study.review.unpin("t5")
    assert lab.promote(v3, env="prod", study=study).number == v3.number


def test_the_store_takes_in_every_file_that_is_handed_out(
    road: tuple[Lab, Any, Any, Dataset], make_lab: MakeLab, tmp_path: Path
) -> None:
    """`lab.store.import_` reads an export and the labels of a report, each once; a label of a study
    that is not here takes nothing in.
    """
    lab, v1, v2, data = road
    study = lab.evaluate([v1, v2], data, [equals()])
    line = {
        "form": "l1",
        "kind": "pairwise",
        "study": study.id,
        "example_id": "t4",
        "first": v2.id,
        "second": v1.id,
        "label": "first",
        "rater": "cleo",
    }
    labels, exported = tmp_path / "labels.jsonl", tmp_path / "all.jsonl"
    noted = {**line, "example_id": "t8", "note": "pasted\u2028from a page"}
    labels.write_text(
        f"{json.dumps(line)}\n{json.dumps(noted, ensure_ascii=False)}\n", encoding="utf-8"
    )
    other = make_lab("elsewhere")
    with pytest.raises(
        StudyError,
        match=(
            r"labels\.jsonl, line 1 is a label of the study s1-.*import that study's export first"
        ),
    ):
        other.store.import_(labels)
    lab.store.export(exported)
    assert other.store.import_(exported)["studies"] == 1
    assert (other.store.import_(labels), other.store.import_(labels)) == ({"labels": 2}, {})
    assert other.study(study.id).review.labels()["value"].tolist() == [1.0, 1.0]
    assert study.review.import_labels(labels) == 2


def test_a_lab_moves_mends_and_removes_what_it_recorded(
    road: tuple[Lab, Any, Any, Dataset], make_lab: MakeLab, tmp_path: Path
) -> None:
    """One study by its name to another machine, with its runs, scores and labels; a purge by
    example and by study; the doctor before and after a fault.
    """
    lab, v1, v2, data = road
    study = lab.evaluate([v1, v2], data, [equals()], name="tone")
    lab.evaluate([v1], data, [contains("billing")], name="other")
    counts = lab.store.export(tmp_path / "tone.export", study="tone")
    assert counts["studies"] == 1
    other = make_lab("elsewhere")
    assert other.store.import_(tmp_path / "tone.export") == counts
    assert other.store.import_(tmp_path / "tone.export") == {}
    moved = other.study("tone")
    assert moved.scores()["value"].tolist() == study.scores()["value"].tolist()
    assert (lab.store.verify(), other.store.verify()) == ([], [])
    first = data[0].id
    gone = other.store.purge([first])
    assert gone.removed["runs"] == 2
    assert first not in set(other.study("tone").runs()["example_id"])
    assert other.store.purge(study=moved).removed["studies"] == 1
    with pytest.raises(StudyError, match="there is no study 'tone'"):
        other.store.purge(study="tone")
    with pytest.raises(StoreError, match="nothing was named to purge"):
        other.store.purge()
    (lab.store.folder / "store.duckdb").write_bytes(b"no database")
    with pytest.warns(RuntimeWarning, match="set aside"):
        done = lab.store.repair()
    assert any("set aside" in line for line in done)
    assert lab.store.verify() == []
    assert len(lab.study("tone").scores()) == len(study.scores())


def test_a_rollback_that_breaks_a_consumer_warns(road: tuple[Lab, Any, Any, Dataset]) -> None:
    """It is done at once, and says which application does not supply what the version needs."""
    lab, v1, v2, _ = road
    for version in (v1, v2):
        lab.promote(version, env="prod", force=True, reason="as before")
    folder = lab.project.location.registry.parent / needs.FOLDER
    needs.write(str(folder / "checkout.json"), "checkout", [needs.Need(v1.prompt, {"other": None})])
    with pytest.warns(UserWarning, match="serves prod of .* now; it breaks a registered consumer"):
        lab.rollback(v1.prompt, env="prod")
    serving = lab.project.registry.serving(v1.prompt, "prod")
    assert serving is not None
    assert serving.id == v1.id

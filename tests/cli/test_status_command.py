"""`promptops status`: what serves, its figures since the deployment beside those before, and a
rollback command that works as it is printed.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from promptops.run import utc
from promptops.study.project import Project
from promptops.version import PromptVersion
from tests.cli.conftest import NAME, Run
from tests.monitor.test_drift_day import after, monitor

DAY_S = 86_400.0


def call_row(call: int, at: float, **known: Any) -> dict[str, Any]:
    return {
        "id": f"live-{call}",
        "started_at": utc(at),
        "prompt": NAME,
        "env": "prod",
        "model": "gpt-4o-mini",
        "tokens_in": 1_000_000,
        "tokens_out": 0,
        **known,
    }


def test_every_environment_with_the_way_back(run: Run) -> None:
    """Version, since, by, canary, alarms, and a command that does what is printed."""
    code, out, _ = run("status")
    assert code == 0
    dev, prod = out.split(f"{NAME} in ")[1:]
    assert prod.startswith("prod: v2 since ")
    assert ", by ann" in prod
    assert "canary: v3 to 20 %" in dev
    assert "alarms: none open" in prod
    assert "live calls: none recorded" in prod
    line = prod.split("to go back: ")[1].splitlines()[0]
    command, says = line.split("  # ")
    assert says == "serves v1 again"
    code, out, _ = run(*shlex.split(command)[1:])
    assert code == 0
    assert "serves v1 now" in out
    code, out, _ = run("status", "--env", "prod", "--json")
    assert [row["version"] for row in json.loads(out)] == ["v1"]


def test_figures_since_the_deployment_beside_those_before(run: Run, path: Path) -> None:
    """Failures, cost and votes of both windows; an older call is in neither."""
    project = Project.open(path.parent)
    at = _deployed_at(project)
    ids = {1: "p1-one", 2: "p1-two"}
    rows = [call_row(n, at - 3600 * (n + 1), version_id=ids[1], version=1) for n in range(4)]
    rows[0]["failure"] = "server_error"
    rows += [call_row(9, at - 40 * DAY_S, version_id=ids[1], version=1, failure="server_error")]
    rows += [call_row(20 + n, at + 1 + n, version_id=ids[2], version=2) for n in range(2)]
    project.store.append("live", rows)
    votes = [("live-1", 0.0), ("live-20", 1.0), ("live-21", 1.0)]
    project.store.append(
        "feedback",
        [
            {"id": f"f-{run_}", "run": run_, "at": utc(at + 60), "kind": "good", "value": v}
            for run_, v in votes
        ],
    )
    project.close()
    code, out, _ = run("status", "--env", "prod", "--json")
    assert code == 0
    (row,) = json.loads(out)
    assert row["now"] == {"calls": 2, "failures": 0.0, "quality": 1.0, "cost_usd": 0.15}
    assert row["before"] == {"calls": 4, "failures": 0.25, "quality": 0.0, "cost_usd": 0.15}
    _, out, _ = run("status", "--env", "prod")
    assert (
        "quality 100.0 % (before 0.0 %), cost 0.15 USD per call (before 0.15 USD per call),"
        " failures 0.0 % (before 25.0 %)"
    ) in out


def _deployed_at(project: Project) -> float:
    serving = project.registry.serving(NAME, "prod")
    assert serving is not None
    return datetime.fromisoformat(serving.at.replace("Z", "+00:00")).timestamp()


def test_an_open_alarm_is_named_and_exits_with_1(run: Run, path: Path) -> None:
    """Until somebody acknowledges it; a file that cannot be read is an alarm too."""
    file = after(monitor(), range(1, 6))
    file = after(file, range(6, 12), set(range(6)), who=("m-2", "fp_2"))
    folder = path.parent / "promptops.monitors"
    folder.mkdir()
    target = folder / f"{NAME}.prod.json"
    replace(file, declaration={**file.declaration, "prompt": NAME}).write(str(target))
    code, out, _ = run("status")
    assert code == 1
    assert f"ALARM: {file.alarms[0]['id']} on " in out
    target.write_text("{")
    code, out, _ = run("status", "--env", "prod")
    assert code == 1
    assert "the monitor cannot be read" in out


def test_nothing_serves_yet(run: Run, path: Path) -> None:
    """A first deployment has nothing to go back to."""
    code, out, err = run("status", "--env", "qa")
    assert (code, out) == (0, "")
    assert "nothing serves in qa yet" in err
    project = Project.open(path.parent)
    project.registry.save("first", PromptVersion("Hi {{x}}", model="m"))
    project.registry.promote("first", 1, "dev", author="ann")
    code, out, _ = run("status", "--env", "dev")
    assert "to go back: nothing to go back to" in out

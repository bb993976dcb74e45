"""Ours beside promptfoo, Inspect, MLflow and dspy on the same work, each in an environment of its
own; prints one table.

    python tests/benchmarks/rivals.py --shared ../shared/bench [--work FOLDER] [--runs 1] [--only
    dspy,promptfoo]

2 prompt versions x 2,000 examples, one exact-match scorer, a loopback server without latency, 50
calls in flight; the whole process is timed, from its start to its end, results in its own store.
MLflow gets 500 examples, since it takes minutes for more; ratios are of calls a second. A rival
that does not install, or gets other answers, is reported and left out. --work: keeps the environments,
for another run. Runs with the Python that has promptops installed.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DRIVER = Path(__file__).with_name("lab_driver.py")
EXAMPLES, WIDTH, AT_LEAST = 2000, 50, 6.0
INSTALL_S = 1200


@dataclass(frozen=True, slots=True)
class Rival:
    """name: of its driver; packages: what its environment holds; n: examples of each version;
    settings: environment variables.
    """

    name: str
    packages: tuple[str, ...]
    n: int = EXAMPLES
    settings: Mapping[str, str] = field(default_factory=dict)


RIVALS = (
    Rival("dspy", ("dspy",)),
    Rival("inspect", ("inspect_ai", "openai")),
    # with its default pool of connections to SQLite, 50 calls in flight wait for one another for
    # ever
    Rival("mlflow", ("mlflow", "openai"), 500, {"MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "200"}),
    Rival("promptfoo", ()),
)


def prepare(shared: Path, work: Path) -> None:
    """A copy of the benchmark's folder with its server, its data, and our driver among the
    others.
    """
    shutil.copytree(shared, work, dirs_exist_ok=True)
    for copied in (work, *work.glob("*"), *(work / "drivers").glob("*")):
        copied.chmod(copied.stat().st_mode | 0o200)  # the original may be read-only
    subprocess.run(["cc", "-O2", "-o", "fakellm", "fakellm.c"], cwd=work, check=True)
    compileall.compile_dir(
        ROOT / "promptops", quiet=1
    )  # as every installed package is, the rivals' among them
    (work / "logs").mkdir(exist_ok=True)
    subprocess.run([sys.executable, "gen_data.py", str(EXAMPLES)], cwd=work, check=True)
    runner = (work / "run.py").read_text()
    ours = f"""    "ours": ({[sys.executable, str(DRIVER), "--data", str(work / "data")]!r}, {{"PYTHONPATH": {str(ROOT)!r}}}),\n"""
    plain = '"promptfoo": ([V("floor"), D("promptfoo_driver.py")], {})'
    if "DRIVERS = {\n" not in runner or plain not in runner:
        raise SystemExit("run.py of the benchmark is not the one that this was written for.")
    runner = runner.replace("DRIVERS = {\n", "DRIVERS = {\n" + ours)
    runner = runner.replace(
        plain, f'"promptfoo": ([{sys.executable!r}, D("promptfoo_driver.py")], {{}})'
    )
    (work / "run.py").write_text(runner)


def install(rival: Rival, work: Path) -> str:
    """Make the rival's environment; what went wrong, or nothing."""
    if rival.packages:
        there = (work / "venvs" / rival.name / "bin" / "python").exists() and (
            work / "logs" / f"install-{rival.name}.log"
        ).exists()
        words, where = ["bash", "install.sh", rival.name, *rival.packages], work
    else:
        where = work / "npm"
        there = (where / "node_modules" / ".bin" / "promptfoo").exists()
        where.mkdir(exist_ok=True)
        words = [
            "sh",
            "-c",
            "npm init -y >/dev/null && npm install --no-audit --no-fund --loglevel=error promptfoo",
        ]
    if there:
        return ""
    try:
        done = subprocess.run(
            words, cwd=where, capture_output=True, text=True, timeout=INSTALL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"did not install: {type(error).__name__}"
    return "" if done.returncode == 0 else f"did not install: exit {done.returncode}"


def run(
    name: str, n: int, runs: int, work: Path, settings: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The figures of its runs that came to a proper end, as the benchmark's runner takes them."""
    results = work / "results" / "runs.jsonl"
    before = len(results.read_text().splitlines()) if results.exists() else 0
    words = [
        sys.executable,
        "run.py",
        name,
        "--latency",
        "0",
        "--c",
        str(WIDTH),
        "--n",
        str(n),
        "--runs",
        str(runs),
        "--timeout",
        "600",
    ]
    subprocess.run(words, cwd=work, check=False, stdout=sys.stderr, env={**os.environ, **settings})
    rows = (
        [json.loads(line) for line in results.read_text().splitlines()[before:]]
        if results.exists()
        else []
    )
    return [row for row in rows if row["rc"] == 0 and not row["killed"] and row["result"]]


def main() -> int:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument(
        "--shared",
        type=Path,
        default=ROOT.parent / "shared" / "bench",
        help="the benchmark's folder; it is copied",
    )
    words.add_argument(
        "--work",
        type=Path,
        help="where to copy it, and keep it (default: a folder that is removed)",
    )
    words.add_argument(
        "--runs",
        type=int,
        default=1,
        help="of each; ours runs once before each rival, and the fastest counts",
    )
    words.add_argument("--only", default="", help="names of rivals, with commas")
    given = words.parse_args()
    if not (given.shared / "fakellm.c").is_file():
        words.error(f"{given.shared} holds no benchmark (fakellm.c is missing)")
    with tempfile.TemporaryDirectory() as scratch:
        work = (given.work or Path(scratch)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        prepare(given.shared.resolve(), work)
        wanted = [
            rival for rival in RIVALS if not given.only or rival.name in given.only.split(",")
        ]
        return measure(wanted, given.runs, work)


def measure(rivals: list[Rival], runs: int, work: Path) -> int:
    """Prints the table; 1 if a rival that ran is nearer than six times."""
    mine: list[dict[str, Any]] = []
    found: dict[str, tuple[float, dict[str, Any]]] = {}
    said: list[str] = []
    for rival in rivals:
        problem = install(rival, work)
        if problem:
            said.append(f"{rival.name} {problem}; it is not in the table.")
            continue
        mine += run("ours", EXAMPLES, 1, work, {})
        rows = run(rival.name, rival.n, runs, work, rival.settings)
        if not rows:
            said.append(f"{rival.name} came to no result; it is not in the table.")
            continue
        best = max(rows, key=lambda row: float(row["calls_per_s"]))
        found[rival.name] = (float(best["calls_per_s"]), best)
    if not mine:
        print("ours came to no result.")
        return 1
    ours = max(mine, key=lambda row: float(row["calls_per_s"]))
    print(
        "| runner | calls | whole process, s | calls/s | CPU ms a call | peak MB | ours is faster"
        " by |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    print(line("promptops", ours, "1"))
    for name, (speed, row) in found.items():
        print(line(name, row, f"{ours['calls_per_s'] / speed:.1f}x"))
    for sentence in said:
        print(sentence)
    near = [name for name, (speed, _) in found.items() if ours["calls_per_s"] / speed < AT_LEAST]
    return 1 if near else 0


def line(name: str, row: dict[str, Any], ratio: str) -> str:
    calls = 2 * row["n"]
    cpu = 1000 * (row["user_s"] + row["sys_s"]) / calls
    return (
        f"| {name} | {calls:,} | {row['wall_s']:.1f} | {row['calls_per_s']:,.0f} | {cpu:.1f} |"
        f" {row['peak_mb']:.0f} | {ratio} |"
    )


if __name__ == "__main__":
    sys.exit(main())

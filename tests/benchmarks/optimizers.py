"""Our methods of searching beside dspy's BootstrapFewShot and MIPROv2 and gepa by its own adapter,
each rival in a throw-away environment, on the same model, rows and calls; prints one table.

    python tests/benchmarks/optimizers.py [--seeds 5] [--calls 500] [--work FOLDER] [--only NAME]

The model is on a loopback server: the embedded model (not an LLM) on the tour's tickets, and on a
task where nothing is better a coin that is right in 60 % of all questions, whatever the prompt. The
proposer is a script for all: words of labelled train rows as definitions. Winners are put to our
test split and gate. Runs with the Python that has promptops installed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any

from promptops.dataset import Dataset
from promptops.embedded.model import speak
from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.optimize import FewShot, Gepa, Instructions
from promptops.optimize.operators import definitions, labelled
from promptops.scorers import equals
from promptops.version import PromptVersion

sys.path.insert(0, str(Path(__file__).parent))
from ticket_prompts import BY_HAND, HEAD

ROOT = Path(__file__).resolve().parents[2]
DRIVER = Path(__file__).with_name("rival_optimizer.py")
RIVALS = {
    "dspy BootstrapFewShot": ("BootstrapFewShot", ("dspy", "optuna")),
    "dspy MIPROv2": ("MIPROv2", ("dspy", "optuna")),
    "gepa, its own adapter": ("gepa", ("gepa",)),
}
OURS: Mapping[str, Callable[[], Any]] = {
    "few_shot": lambda: FewShot(),
    "few_shot, k=48": lambda: FewShot(k=48),
    "instructions": lambda: Instructions(),
    "instructions, with texts by hand": lambda: Instructions(texts=BY_HAND),
    "gepa, our adapter": lambda: Gepa(proposer="proposer"),
}
Chat = list[dict[str, str]]


@dataclass
class Setting:
    """One task: its rows, its model, and what a proposer says for the n-th time."""

    name: str
    data: Dataset
    seed_text: str
    answer: Callable[[Chat], str]
    calls: int = 0
    proposals: dict[str, int] = field(default_factory=dict)

    def propose(self, asked: str) -> str:
        """An instruction with definitions by the words of some train rows; the rows are drawn by
        what was asked.
        """
        draw = Random(asked)
        rows = list(self.data.train)
        some = draw.sample(rows, min(len(rows), 60))
        found = labelled([(row, str(row.expected)) for row in some])
        told = definitions(found, 6, "all") if found is not None else ""
        return f"{self.seed_text}\n\nLabels:\n{told}"


def tickets() -> Setting:
    """The tour's tickets, answered by the embedded model."""
    rows = [json.loads(line) for line in (ROOT / "data" / "support_tickets.jsonl").open()]
    data = Dataset.read(
        [
            {
                "id": str(row.get("id", n)),
                "text": f"Ticket: {row['ticket']}",
                "expected": row["category"],
            }
            for n, row in enumerate(rows)
        ],
        inputs=["text"],
    )

    def answer(chat: Chat) -> str:
        return speak({"model": "embedded", "messages": chat, "temperature": 0}, 0).text or ""

    return Setting("tickets", data, HEAD, answer)


def nothing() -> Setting:
    """400 rows on which every prompt is right in 60 % of all questions."""
    labels = ("red", "green", "blue")
    data = Dataset.read(
        [{"id": f"n{n}", "text": f"Item {n}.", "expected": labels[n % 3]} for n in range(400)],
        inputs=["text"],
    )

    def answer(chat: Chat) -> str:
        number = int(chat[-1]["content"].split()[1].rstrip("."))
        draw = int(hashlib.sha256(json.dumps(chat).encode()).hexdigest()[:8], 16) / 16**8
        return labels[number % 3] if draw < 0.6 else labels[(number + 1) % 3]

    return Setting("nothing better", data, "Name the colour of the item.", answer)


def served(setting: Setting) -> ThreadingHTTPServer:
    """The task's model and proposer as an OpenAI-compatible server on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            setting.calls += 1
            chat = [{"role": m["role"], "content": _plain(m["content"])} for m in asked["messages"]]
            if asked["model"].endswith("proposer"):
                text = setting.propose(json.dumps(chat))
            else:
                text = setting.answer(chat)
            message = {"role": "assistant", "content": text}
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            body = json.dumps(
                {
                    "id": "c",
                    "object": "chat.completion",
                    "created": 0,
                    "model": asked["model"],
                    "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                    "usage": usage,
                }
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _plain(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content or ())


@dataclass(frozen=True)
class Outcome:
    """calls: of the search; won: whether the method gives another prompt than the seed; gain: on
    the test split; decision: of our gate.
    """

    calls: int
    won: bool
    gain: float
    decision: str


class Bench:
    """A lab in a folder that goes, with the task's model."""

    def __init__(self, setting: Setting, calls: int, folder: Path) -> None:
        self.setting, self.calls = setting, calls
        task = ScriptedModel(lambda request: setting.answer(_chat(request)))
        proposer = ScriptedModel(
            lambda request: f"```\n{setting.propose(json.dumps(_chat(request)))}\n```",
            label="proposer",
        )
        self.lab = Lab(folder, models={"task": task, "proposer": proposer})
        text = [
            {"role": "system", "content": setting.seed_text},
            {"role": "user", "content": "{{text}}"},
        ]
        self.seed = self.lab.prompt("p").save(text, model="task")

    def ours(self, method: Any, seed: int) -> Outcome:
        """A search of ours, judged."""
        found = self.lab.optimize(
            self.seed,
            self.setting.data,
            [equals()],
            method=method,
            budget_calls=self.calls,
            seed=seed,
        )
        return self.judged(found.best, sum(found.calls.values()))

    def judged(self, winner: PromptVersion, calls: int) -> Outcome:
        """A winner beside the seed on the test split."""
        if winner.id == self.seed.id:
            return Outcome(calls, False, 0.0, "seed kept")
        study = self.lab.evaluate([self.seed, winner], self.setting.data.test, [equals()])
        found = study.compare(candidate=winner, baseline=self.seed)
        return Outcome(calls, True, found.primary.gain, found.verdict.decision)


def _chat(request: Mapping[str, Any]) -> Chat:
    return [{"role": m["role"], "content": _plain(m["content"])} for m in request["messages"]]


def rival(bench: Bench, method: str, python: Path, seeds: int) -> Iterator[Outcome]:
    """The outcomes of a rival, one per seed."""
    setting, server = bench.setting, served(bench.setting)
    rows = {
        split: [{"text": e.inputs["text"], "label": e.expected} for e in setting.data.split(split)]
        for split in ("train", "val")
    }
    words = [str(python), str(DRIVER), method]
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for seed in range(seeds):
            setting.calls = 0
            url = f"http://127.0.0.1:{server.server_address[1]}/v1"
            task = {"url": url, "seed": seed, "calls": bench.calls, **rows}
            process.stdin.write(json.dumps({**task, "seed_text": setting.seed_text}) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"{method} ended without an answer on {setting.name}.")
            calls = setting.calls
            yield bench.judged(PromptVersion(json.loads(line), model="task"), calls)
    finally:
        process.kill()
        process.wait()
        server.shutdown()


def environment(work: Path, packages: tuple[str, ...]) -> Path:
    """The Python of a throw-away environment with these packages."""
    folder = work / packages[0]
    python = folder / "bin" / "python"
    uv = shutil.which("uv") or "uv"
    if not python.exists():
        subprocess.run([uv, "venv", "-q", str(folder)], check=True)
        install = [uv, "pip", "install", "-q", "--python", str(python), *packages]
        subprocess.run(install, check=True)
    return python


def row_of(name: str, tried: Mapping[str, list[Outcome]]) -> str:
    """One line of the table."""
    real, null = tried["tickets"], tried["nothing better"]
    each = " ".join(f"{100 * found.gain:+.1f}" for found in real)
    promoted = sum(found.decision == "promote" for found in real)
    wrongly = sum(found.decision == "promote" for found in null)
    return (
        f"| {name} | {mean(found.calls for found in real):.0f} |"
        f" {100 * mean(found.gain for found in real):+.1f} ({each}) | {promoted} of {len(real)} |"
        f" {sum(found.won for found in null)} of {len(null)} | {wrongly} of {len(null)} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--only", action="append", default=[])
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    scratch = Path(tempfile.mkdtemp())
    work = chosen.work or scratch
    print(
        "| method | calls | test gain, points (each seed) | promoted | null: winner given | null:"
        " promoted |\n| --- | --- | --- | --- | --- | --- |"
    )
    for name in [*OURS, *RIVALS]:
        if chosen.only and name not in chosen.only:
            continue
        tried: dict[str, list[Outcome]] = {}
        for setting in (tickets(), nothing()):
            folder = scratch / f"{name}-{setting.name}".replace(" ", "-").replace(",", "")
            bench = Bench(setting, chosen.calls, folder)
            if name in OURS:
                found = [bench.ours(OURS[name](), seed) for seed in range(chosen.seeds)]
            else:
                method, packages = RIVALS[name]
                python = environment(work, packages)
                found = list(rival(bench, method, python, chosen.seeds))
            tried[setting.name] = found
        print(row_of(name, tried), flush=True)
    shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

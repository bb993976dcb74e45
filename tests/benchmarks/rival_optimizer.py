"""One rival optimiser on the loopback server of `optimizers.py`, in its own environment: reads a
task as JSON from standard input, writes {"messages", "instructions"} of its winner.
"""

from __future__ import annotations

import json
import random
import sys
import urllib.request
from collections.abc import Mapping
from typing import Any

Row = Mapping[str, str]


def ask(url: str, model: str, messages: Any) -> str:
    """One chat completion."""
    body = json.dumps({"model": model, "messages": messages, "temperature": 0}).encode()
    request = urllib.request.Request(
        f"{url}/chat/completions", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(json.load(answer)["choices"][0]["message"]["content"])


def chat(instructions: str, demos: list[tuple[str, str]], asked: str) -> list[dict[str, str]]:
    """The form in which every method asks."""
    turns = [{"role": "system", "content": instructions}]
    for text, answer in demos:
        turns += [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
    return [*turns, {"role": "user", "content": asked}]


def by_dspy(task: Mapping[str, Any], method: str) -> list[dict[str, str]]:
    """BootstrapFewShot or MIPROv2, with an adapter that asks in the common form."""
    import dspy

    class Plain(dspy.Adapter):
        def format(self, signature: Any, demos: Any, inputs: Any) -> Any:
            outputs, given = list(signature.output_fields), list(signature.input_fields)

            def said(row: Any) -> str:
                return "\n".join(str(row.get(name, "")) for name in given)

            shown = [(said(d), str(d.get(outputs[-1], ""))) for d in demos if outputs[-1] in d]
            return chat(signature.instructions, shown, said(inputs))

        def parse(self, signature: Any, completion: str) -> Any:
            return dict.fromkeys(signature.output_fields, completion.strip())

    def model(name: str) -> Any:
        return dspy.LM(
            f"openai/{name}", api_base=task["url"], api_key="none", cache=False, temperature=0
        )

    dspy.configure(lm=model("task"), adapter=Plain())

    def rows(split: str) -> list[Any]:
        return [
            dspy.Example(text=r["text"], label=r["label"]).with_inputs("text") for r in task[split]
        ]

    def right(example: Any, answer: Any, trace: Any = None) -> bool:
        return bool(answer.label == example.label)

    student = dspy.Predict(dspy.Signature("text -> label", task["seed_text"]))
    train, val, seed = rows("train"), rows("val"), int(task["seed"])
    random.Random(seed).shuffle(train)
    if method == "BootstrapFewShot":
        made = dspy.BootstrapFewShot(metric=right, max_bootstrapped_demos=6, max_labeled_demos=6)
        winner = made.compile(student, trainset=train)
    else:
        made = dspy.MIPROv2(
            metric=right,
            prompt_model=model("proposer"),
            task_model=model("task"),
            auto=None,
            num_candidates=8,
            seed=seed,
            num_threads=1,
        )
        winner = made.compile(
            student,
            trainset=train,
            valset=val[:50],
            num_trials=8,
            minibatch_size=20,
            minibatch_full_eval_steps=4,
            seed=seed,
            program_aware_proposer=False,
        )
    demos = [(str(d["text"]), str(d["label"])) for d in winner.demos]
    return chat(winner.signature.instructions, demos, "{{text}}")


def by_gepa(task: Mapping[str, Any]) -> list[dict[str, str]]:
    """gepa with its own default adapter and reflection prompt."""
    import gepa
    from gepa.adapters.default_adapter.default_adapter import DefaultAdapter, EvaluationResult

    def judged(data: Any, answer: str) -> Any:
        right = answer.strip() == data["answer"]
        said = "Right." if right else f"Wrong: the right answer is {data['answer']!r}."
        return EvaluationResult(score=float(right), feedback=said, objective_scores=None)

    def rows(split: str) -> list[Any]:
        return [
            {"input": r["text"], "additional_context": {}, "answer": r["label"]}
            for r in task[split]
        ]

    adapter: Any = DefaultAdapter(
        model=lambda messages: ask(task["url"], "task", messages), evaluator=judged
    )
    found = gepa.optimize(
        seed_candidate={"instructions": task["seed_text"]},
        trainset=rows("train"),
        valset=rows("val")[:50],
        adapter=adapter,
        reflection_lm=lambda text: ask(
            task["url"], "proposer", [{"role": "user", "content": str(text)}]
        ),
        max_metric_calls=int(task["calls"]),
        seed=int(task["seed"]),
        reflection_minibatch_size=5,
        skip_perfect_score=False,
        display_progress_bar=False,
    )
    return chat(dict(found.best_candidate)["instructions"], [], "{{text}}")


def main(method: str) -> None:
    """Each line of standard input is a task; each gives a line."""
    out = sys.stdout
    sys.stdout = sys.stderr  # libraries print
    for line in sys.stdin:
        task = json.loads(line)
        messages = by_gepa(task) if method == "gepa" else by_dspy(task, method)
        out.write(json.dumps(messages) + "\n")
        out.flush()


if __name__ == "__main__":
    main(sys.argv[1])

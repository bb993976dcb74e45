"""Law: a registry of real size stays small and fast: each text once, a save within 250 ms, a get
within 3 µs (G6, G7).
"""

from __future__ import annotations

import gc
import math
import os
import random
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import promptops
from promptops import Loader, PromptVersion
from promptops.registry import chain, document, entry
from promptops.registry.editor import Editor
from promptops.registry.read_view import SETTLE_S
from tests.quick import children_s

TEXT = (
    "the a ticket answer classify json key user order refund please never mention always short tone"
    " policy {{ticket}}"
)
WORDS = TEXT.split()


def text(dice: random.Random, lines: int = 8) -> str:
    return "\n".join(" ".join(dice.choice(WORDS) for _ in range(9)) for _ in range(lines))


def saves(dice: random.Random) -> Iterator[tuple[str, str]]:
    """3,937 saves of 1,719 names, 2,064 of which return to an earlier text of their name (name,
    text).

    The shape of a prompt repository of years: most names are saved once or twice, a few very often,
    and reverts are common.
    """
    names = [f"team-{number % 40:02d}/prompt-{number:04d}" for number in range(1719)]
    history: dict[str, list[str]] = {name: [] for name in names}
    plan = [*names, *(names[int(dice.paretovariate(0.6)) % len(names)] for _ in range(3937 - 1719))]
    dice.shuffle(plan)
    returns = 2064
    able = (
        sum(1 for index, name in enumerate(plan) if name in plan[:0] or index) - 1719
    )  # repeats: the saves that could return
    for name in plan:
        earlier = history[name]
        if earlier:
            if returns and dice.random() < returns / max(able, 1):
                returns -= 1
                able -= 1
                yield name, dice.choice(earlier)
                continue
            able -= 1
        fresh = f"{name} {len(earlier)}\n{text(dice)}"
        earlier.append(fresh)
        yield name, fresh


def big(prompts: int, versions: int) -> str:
    """The text of a registry of so many prompts x versions, the fourth of each serving prod."""
    dice = random.Random(7)
    out = {}
    for number in range(prompts):
        name = f"team/prompt-{number:04d}"
        made = [
            PromptVersion(
                f"{name} v{index}\n{text(dice)}", model="small", settings={"temperature": 0}
            )
            for index in range(versions)
        ]
        env = None
        for index in (0, min(3, versions - 1)):
            link = {
                "version": made[index].id,
                "kind": "promote",
                "at": "2026-01-01T00:00:00Z",
                "author": "ann",
            }
            env = chain.append(name, "prod", env, link)
        out[name] = {
            "environments": {"prod": env},
            "versions": [entry.to_entry(version, index + 1) for index, version in enumerate(made)],
        }
    return document.render({"promptops": 1, "prompts": out})


def median(
    act: Callable[[], object], times: int = 7, clock: Callable[[], float] = time.perf_counter
) -> float:
    took = []
    for _ in range(times):
        started = clock()
        act()
        took.append(clock() - started)
    return statistics.median(took)


def p50_us(act: Callable[[int], object], times: int = 20_000) -> float:
    took = []
    for index in range(times):
        started = time.perf_counter_ns()
        act(index)
        took.append(time.perf_counter_ns() - started)
    return statistics.median(took) / 1000


def looped(floor: Callable[[], object], act: Callable[[], object]) -> float:
    """The processor's time of `act` over that of `floor`: slices of both take turns, the least of
    each counts.
    """
    least = [math.inf, math.inf]
    for _ in range(40):
        for side, call in enumerate((floor, act)):
            began = time.thread_time_ns()
            for _ in range(1_000):
                call()
            least[side] = min(least[side], time.thread_time_ns() - began)
    return least[1] / least[0]


def test_the_generator_is_what_it_says() -> None:
    """3,937 saves, 1,719 names, 2,064 returns to an earlier text of the name."""
    seen: set[tuple[str, str]] = set()
    returned = count = 0
    for pair in saves(random.Random(3)):
        returned += pair in seen
        seen.add(pair)
        count += 1
    assert (count, len({name for name, _ in seen}), returned) == (3937, 1719, 2064)


def after_years(path: Path) -> tuple[float, float]:
    """Leave at `path` what the saves leave, the last 60 through the editor; seconds of a save: the
    median, and in a fresh process.
    """
    stored: dict[str, dict[str, PromptVersion]] = {}
    last: list[tuple[str, PromptVersion]] = []
    for index, (name, said) in enumerate(saves(random.Random(3))):
        version = PromptVersion(said, model="small")
        if index < 3937 - 60:
            stored.setdefault(name, {}).setdefault(version.id, version)
        else:
            last.append((name, version))
    prompts = {
        name: {
            "versions": [
                entry.to_entry(version, number, created="2026-01-01T00:00:00Z")
                for number, version in enumerate(kept.values(), 1)
            ]
        }
        for name, kept in stored.items()
    }
    path.write_text(document.render({"promptops": 1, "prompts": prompts}), encoding="utf-8")
    editor = Editor(path)
    took = []
    for name, version in last:
        started = time.perf_counter()
        editor.save(name, version)
        took.append(time.perf_counter() - started)
    read = document.parse(path.read_bytes(), "r")
    assert sum(len(prompt["versions"]) for prompt in read["prompts"].values()) == 3937 - 2064
    assert len(read["prompts"]) == 1719
    assert list(document.check(read)) == []
    started = time.perf_counter()
    Editor(path).save("team-00/prompt-0000", PromptVersion("from a fresh process"))
    cold = time.perf_counter() - started
    wrote = sorted(took)[-15:]  # a quarter of the saves return to a text and write nothing
    print(
        f"{path.stat().st_size:,} bytes, save p50 {1000 * statistics.median(wrote):.0f} ms, cold"
        f" {1000 * cold:.0f} ms"
    )
    return statistics.median(wrote), cold


def test_years_of_saves_store_each_text_once(tmp_path: Path) -> None:
    """3,937 saves of 1,719 names with 2,064 returns: 1,873 texts, each once, and a sound file; a
    save stays fast at that size.
    """
    warm, _ = after_years(tmp_path / "promptops.json")
    assert warm <= 1.0  # noisy machines; the promise's 0.25 is held under `benchmark`


@pytest.mark.benchmark
def test_a_save_after_years_takes_a_quarter_of_a_second_at_most(tmp_path: Path) -> None:
    """At that size a save takes at most 250 ms, in a fresh process too."""
    warm, cold = after_years(tmp_path / "promptops.json")
    assert warm <= 0.25
    assert cold <= 0.25


@pytest.mark.benchmark
def test_a_save_in_seven_megabytes_takes_fifty_ms(tmp_path: Path) -> None:
    """1,140 prompts of 5 versions: the processor's time of a save, the median of 15 after the
    first, which reads the file.
    """
    path = tmp_path / "r.json"
    path.write_text(big(1140, 5), encoding="utf-8")
    editor, took = Editor(path), []
    for turn in range(16):
        began = time.process_time()
        editor.save(f"team/prompt-{turn * 37:04d}", PromptVersion(f"text {turn}"))
        took.append(1e3 * (time.process_time() - began))
    warm = statistics.median(took[1:])
    print(f"{path.stat().st_size:,} bytes: a save {warm:.0f} ms of CPU, the first {took[0]:.0f}")
    assert warm <= 50


@pytest.mark.soak
def test_years_of_saves_one_by_one(tmp_path: Path) -> None:
    """Night: all 3,937 through the editor, one after another."""
    editor = Editor(tmp_path / "promptops.json")
    for name, said in saves(random.Random(3)):
        editor.save(name, PromptVersion(said, model="small"))
    read = document.parse((tmp_path / "promptops.json").read_bytes(), "r")
    assert sum(len(prompt["versions"]) for prompt in read["prompts"].values()) == 3937 - 2064
    assert list(document.check(read)) == []


def test_memory_is_a_part_of_the_file(tmp_path: Path) -> None:
    """Retained at 1,000 prompts x 5 versions: at most 3 x the file, every prompt served."""
    path = tmp_path / "r.json"
    path.write_text(big(1000, 5), encoding="utf-8")
    Loader(path, saved_copy=False).get("team/prompt-0000", "prod")
    gc.collect()
    tracemalloc.start()
    try:
        loader = Loader(path, saved_copy=False)
        for number in range(1000):
            loader.get(f"team/prompt-{number:04d}", "prod")
        gc.collect()
        retained, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    print(
        f"retained {retained / path.stat().st_size:.2f} x the file of {path.stat().st_size:,} bytes"
    )
    assert retained <= 3 * path.stat().st_size


def test_a_get_costs_little_more_than_a_look_at_the_file(tmp_path: Path) -> None:
    """G7 with slack for noise: the freshness check is one os.stat; a get is at most four of
    them.
    """
    path = tmp_path / "r.json"
    path.write_text(big(50, 2), encoding="utf-8")
    loader = Loader(path, saved_copy=False)
    for number in range(50):
        loader.get(f"team/prompt-{number:04d}", "prod")
    time.sleep(SETTLE_S + 0.01)
    loader.get("team/prompt-0000", "prod")
    stat, place = os.stat, str(path)
    floor = min(p50_us(lambda _: stat(place), 3_000) for _ in range(3))
    cost = min(
        p50_us(lambda index: loader.get(f"team/prompt-{index % 50:04d}", "prod"), 3_000)
        for _ in range(3)
    )
    print(f"stat {floor:.2f} µs, get {cost:.2f} µs")
    assert cost <= 4 * floor + 1


@pytest.mark.benchmark
def test_speed_at_a_thousand_prompts(tmp_path: Path) -> None:
    """G7 at its figures: get p50 <= 3 µs (2.2 x os.stat on a slow machine), first parse <= 60 ms of
    CPU, import <= 10 ms of CPU over bare.
    """
    path = tmp_path / "r.json"
    path.write_text(big(1000, 5), encoding="utf-8")
    names = [f"team/prompt-{number:04d}" for number in range(1000)]
    parse = min(
        median(lambda: Loader(path, saved_copy=False).get(names[0], "prod"), 3, time.process_time)
        for _ in range(5)
    )
    loader = Loader(path, saved_copy=False)
    for name in names:
        loader.get(name, "prod")
    time.sleep(SETTLE_S + 0.01)
    loader.get(names[0], "prod")
    stat, place = os.stat, str(path)
    floor = min(p50_us(lambda _: stat(place)) for _ in range(3))
    cost = min(p50_us(lambda index: loader.get(names[index % 1000], "prod")) for _ in range(3))
    ratio = looped(lambda: stat(place), lambda: loader.get(names[7], "prod"))
    source = str(Path(promptops.__file__).parents[1])

    def run(code: str) -> object:
        return subprocess.run(
            [
                sys.executable,
                "-S",
                "-I",
                "-c",
                f"import sys; sys.path.insert(0, {source!r}); {code}",
            ],
            check=True,
        )

    run("import promptops")
    bare, door = (
        median(lambda code=code: run(code), 15, children_s) for code in ("pass", "import promptops")
    )
    print(
        f"stat {floor:.2f} µs, get {cost:.2f} µs ({cost / floor:.2f} x; {ratio:.2f} x of the"
        f" processor's time), first parse"
        f" {1000 * parse:.0f} ms of {path.stat().st_size:,} bytes, import"
        f" {1000 * (door - bare):.1f} ms over bare {1000 * bare:.1f}"
    )
    assert cost <= max(3.0, 2.2 * floor)
    assert ratio <= 1.6
    assert parse <= 0.06
    assert door - bare <= 0.010


@pytest.mark.benchmark
def test_rollback_with_a_thousand_versions(tmp_path: Path) -> None:
    """G6 at its figure: 1,000 versions, the file written within 100 ms."""
    path = tmp_path / "r.json"
    path.write_text(big(200, 5), encoding="utf-8")
    editor = Editor(path)
    for number in (1, 2):
        editor.promote("team/prompt-0000", number, "prod", author="a", force=True, reason="r")
    targets = iter([1, 2] * 20)
    back = min(
        median(
            lambda: Editor(path).rollback("team/prompt-0000", "prod", to=next(targets), author="a"),
            5,
        )
        for _ in range(3)
    )
    print(f"rollback {1000 * back:.0f} ms")
    assert back <= 0.1

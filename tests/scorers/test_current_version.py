"""A scorer has the version of what its function does now, whatever cell defined it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import after, all_of, as_scorer, classified, contains, not_, scorer

CELL = """
import functools
WORDS, STEP, SEEN, COUNT, LIMIT = ["yes"], {"n": 1}, {}, 0, 3
def helper(output):
    return output == "yes"
def plain(output):
    return helper(output)
def listed(output):
    return output in WORDS
def limited(output):
    return len(output) <= LIMIT
def memo(output):
    if output not in SEEN:
        SEEN[output] = helper(output)
    return SEEN[output]
def counted(output):
    global COUNT
    COUNT += 1
    return helper(output)
@functools.lru_cache
def cached(output):
    return helper(output)
class Judge:
    def __init__(self):
        self.seen, self.calls = {}, 0
    def __call__(self, output):
        self.calls += 1
        self.seen[output] = helper(output)
        return self.seen[output]
def lower(text):
    return text.lower() if helper("yes") else text
"""
EDITED = 'def helper(output):\n    return output.lower() == "yes"\n'
IN_PLACE = 'WORDS.append("Yes")\n'


def cell() -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(CELL, space)
    return space


MADE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "decorated": lambda space: scorer(space["plain"]),
    "plain": lambda space: space["plain"],
    "isolated": lambda space: scorer(isolated=True)(space["plain"]),
    "batch": lambda space: scorer(batch=True)(space["plain"]),
    "object": lambda space: scorer(name="judge")(space["Judge"]()),
    "cached": lambda space: scorer(name="cached")(space["cached"]),
    "memo": lambda space: scorer(space["memo"]),
    "counted": lambda space: scorer(space["counted"]),
    "negated": lambda space: not_(scorer(space["plain"])),
    "joined": lambda space: all_of(contains("e"), space["plain"]).named("mine").at_least(1.0),
    "nested": lambda space: not_(all_of(contains("e"), scorer(space["plain"]))),
    "after": lambda space: after(space["lower"], contains("yes")),
    "classified": lambda space: classified(space["plain"], "True"),
}


@pytest.mark.parametrize("kind", MADE)
def test_an_edited_helper_is_another_version(kind: str) -> None:
    """The same as a scorer that is made after the edit; and the name stays."""
    space = cell()
    made = MADE[kind](space)
    before = as_scorer(made)
    assert as_scorer(made).version == before.version
    exec(EDITED, space)
    now = as_scorer(made)
    assert now.version != before.version
    assert now.name == before.name
    assert now.version == as_scorer(MADE[kind](space)).version
    assert as_scorer(made).version == now.version


@pytest.mark.parametrize(
    ("function", "edit"),
    [
        ("listed", 'WORDS = ["yes", "Yes"]'),
        ("listed", IN_PLACE),
        ("limited", "LIMIT = 4"),
        ("memo", EDITED),
    ],
)
@pytest.mark.parametrize("decorated", [True, False])
def test_a_value_that_it_reads_counts(function: str, edit: str, decorated: bool) -> None:
    space = cell()
    made = scorer(space[function]) if decorated else space[function]
    before = as_scorer(made).version
    exec(edit, space)
    assert as_scorer(made).version != before


@pytest.mark.parametrize("kind", ["memo", "counted", "object", "cached"])
@pytest.mark.parametrize("decorated", [True, False])
def test_what_it_writes_itself_is_no_other_version(kind: str, decorated: bool) -> None:
    """A study's own scoring does not make a later look another judgement."""
    space = cell()
    made: Any = MADE[kind](space)
    if not decorated and kind != "object":
        made = space[kind]
    before = as_scorer(made).version
    for output in ("yes", "no"):
        as_scorer(made)(output)  # type: ignore[operator]
    assert as_scorer(made).version == before


def test_a_version_of_the_users_own_is_kept() -> None:
    space = cell()
    made = scorer(version="7")(space["plain"])
    exec(EDITED, space)
    assert as_scorer(made).version == "7"


def test_an_isolated_scorer_judges_by_the_edited_code() -> None:
    """The process that is kept for the next call holds the old code."""
    space = cell()
    made = scorer(isolated=True)(space["plain"])
    assert as_scorer(made)("Yes") is False  # type: ignore[operator]
    exec(EDITED, space)
    assert as_scorer(made)("Yes") is True  # type: ignore[operator]


def test_two_arms_are_scored_by_the_same_code(make_lab: Callable[..., Lab]) -> None:
    """Both versions answer alike. Scored before and after an edit, one was right on half."""
    lab = make_lab(models={"m": ScriptedModel(lambda call: "Yes")})
    prompt, space = lab.prompt("w"), cell()
    v1, v2 = (prompt.save(f"{name} {{{{q}}}}", model="m") for name in "AB")
    rows, judge = [{"q": str(i)} for i in range(20)], scorer(space["plain"])
    lab.evaluate([v1], rows, [judge], name="one").wait()
    exec(EDITED, space)
    study = lab.evaluate([v1, v2], rows, [judge], name="two")
    found = study.compare(candidate=v2, baseline=v1)
    assert (found.primary.candidate, found.primary.baseline) == (1.0, 1.0)
    assert found.verdict.decision == "inconclusive"


USED = {
    "an attribute that is read once": """
import functools
class Words:
    @functools.cached_property
    def all(self):
        return ["yes"]
words = Words()
def judge(output):
    return output in words.all
""",
    "a generator of random numbers": """
import random
rng = random.Random(3)
def judge(output):
    return rng.random() < 2
""",
    "numpy's generator": """
import numpy
rng = numpy.random.default_rng(3)
def judge(output):
    return rng.random() < 2
""",
    "a counter on an object": """
class Count:
    n = 0
count = Count()
def judge(output):
    count.n += 1
    return True
""",
    "a counter in a map": """
count = {"n": 0}
def judge(output):
    count["n"] += len(output)
    return True
""",
    "a map that fills when it is read": """
import collections
count = collections.defaultdict(int)
def judge(output):
    return count[output] == 0
""",
    "an iterator": """
import itertools
ids = itertools.count()
def judge(output):
    return next(ids) >= 0
""",
    "a deque": """
import collections
last = collections.deque(maxlen=2)
def judge(output):
    last.append(output)
    return len(last) < 3
""",
    "a memo in a default": """
def judge(output, _memo={}):
    if output not in _memo:
        _memo[output] = output == "yes"
    return _memo[output]
""",
    "a memo in a helper's default": """
def ask(text, memo={}):
    return memo.setdefault(text, text == "yes")
def judge(output):
    return ask(output)
""",
    "a client that is made once": """
def client():
    if not hasattr(client, "made"):
        client.made = object()
    return client.made
def judge(output):
    return client() is not None
""",
    "counters of a class": """
class Usage:
    calls = 0
def judge(output):
    Usage.calls += 1
    return True
""",
    "a memo of a class": """
class Judge:
    memo, made = {}, None
    @classmethod
    def get(cls):
        if cls.made is None:
            cls.made = cls()
        return cls.made
    def ask(self, text):
        self.memo[text] = text == "yes"
        return self.memo[text]
def judge(output):
    return Judge.get().ask(output)
""",
    "a decorator that counts": """
def counted(function):
    stats = {"calls": 0}
    def call(*given):
        stats["calls"] += 1
        return function(*given)
    call.stats = stats
    return call
@counted
def ask(text):
    return text == "yes"
def judge(output):
    return ask(output)
""",
    "a counter that a helper raises": """
spent = 0
def spend():
    global spent
    spent += 1
def judge(output):
    spend()
    return spent < 1_000
""",
    "a memo that a helper is given": """
MEMO = {}
def kept(memo, key, make):
    if key not in memo:
        memo[key] = make()
    return memo[key]
def judge(output):
    return kept(MEMO, output, lambda: output == "yes")
""",
    "a memo in a file": """
import json, pathlib, tempfile
place = pathlib.Path(tempfile.mkdtemp()) / "memo.json"
def judge(output):
    memo = json.loads(place.read_text()) if place.exists() else {}
    memo[output] = output == "yes"
    place.write_text(json.dumps(memo))
    return memo[output]
""",
    "an object that fills its memo by another name": """
import threading
def keep(log, text):
    log.append(text)
class Box:
    def __init__(self):
        self.memo, self.log, self.lock = {}, [], threading.Lock()
    def ask(self, text):
        memo = self.memo
        memo[text] = text == "yes"
        keep(self.log, text)
        with self.lock:
            return memo[text]
box = Box()
def judge(output):
    return box.ask(output)
""",
    "a model of pydantic": """
import pydantic
class Judge(pydantic.BaseModel):
    calls: int = 0
    _memo: dict = pydantic.PrivateAttr(default_factory=dict)
    def ask(self, text):
        self.calls += 1
        self._memo[text] = text == "yes"
        return self._memo[text]
own = Judge()
def judge(output):
    return own.ask(output)
""",
    "attributes without their names": """
class Kept:
    def __init__(self):
        self.made, self.calls, self.last = None, 0, ""
own = Kept()
def judge(output):
    object.__setattr__(own, "made", output)
    setattr(own, "last", output)
    vars(own)["calls"] += 1
    return True
""",
    "a client of one's own class": """
import httpx
class Client(httpx.Client):
    pass
own = Client(transport=httpx.MockTransport(lambda request: httpx.Response(200)))
def judge(output):
    return own.get("http://example.com").status_code == 200
""",
    "rows of a table": """
import pandas
log = pandas.DataFrame({"output": ["first"]})
def judge(output):
    log.loc[len(log)] = [output]
    return True
""",
    "a counter in the environment": """
import os
def judge(output):
    os.environ["A_COUNTER_OF_A_TEST"] = os.environ.get("A_COUNTER_OF_A_TEST", "") + "."
    return True
""",
    "a library's map that it fills": """
import collections
memo = collections.UserDict()
def judge(output):
    if output not in memo:
        memo[output] = output == "yes"
    return len(memo) < 9
""",
    "a library's map that it fills while it waits": """
import asyncio, collections
memo = collections.UserDict()
async def judge(output):
    await asyncio.sleep(0)
    memo[output] = output == "yes"
    return True
""",
    "a parser that also counts": """
import configparser
counts = configparser.ConfigParser()
counts["judge"] = {"calls": "0"}
def judge(output):
    counts["judge"]["calls"] = str(counts.getint("judge", "calls") + 1)
    return True
""",
    "a client of a library's": """
import httpx
def reply(request):
    return httpx.Response(200, headers={"set-cookie": "a=" + str(id(request))})
client = httpx.Client(transport=httpx.MockTransport(reply))
def judge(output):
    return client.get("http://example.com").status_code == 200
""",
    "a queue": """
import queue
waiting = queue.Queue()
def judge(output):
    waiting.put_nowait(output)
    return waiting.qsize() > 0
""",
    "a path": """
from pathlib import Path
place = Path("somewhere") / "else"
def judge(output):
    return not place.exists()
""",
    "a map of its own class that fills when it is read": """
class Memo(dict):
    def __missing__(self, text):
        self[text] = text == "yes"
        return self[text]
memo = Memo()
def judge(output):
    return memo[output] or len(memo) > 0
""",
    "an order of its own class": """
import collections
class Recent(collections.OrderedDict):
    def __getitem__(self, text):
        super().__setitem__(text, True)
        return super().__getitem__(text)
recent = Recent()
def judge(output):
    return recent[output]
""",
    "weights with a default": """
import collections
weights = collections.defaultdict(lambda: 1.0, a=2.0)
def judge(output):
    return weights[output] < 2
""",
    "maps in a map": """
import collections
counts = collections.defaultdict(lambda: collections.defaultdict(int))
def judge(output):
    return counts["seen"][output] == 0
""",
    "a parser of one's own class": """
import html.parser
class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []
    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
tags = Tags()
def judge(output):
    tags.feed(f"<b>{output}</b>")
    return "b" in tags.tags
""",
}


@pytest.mark.parametrize("what", USED)
def test_what_it_keeps_while_it_works_is_no_other_version(what: str) -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(USED[what], space)
    for made in (scorer(space["judge"]), space["judge"]):
        before = as_scorer(made).version
        for output in ("yes", "no"):
            given = as_scorer(made)(output)  # type: ignore[operator]
            if inspect.isawaitable(given):
                asyncio.run(_waited(given))
        assert as_scorer(made).version == before


async def _waited(given: Awaitable[object]) -> object:
    return await given


@pytest.mark.parametrize(
    ("what", "edit"),
    [
        ("a memo in a default", "judge.__code__ = (lambda output, _memo: True).__code__"),
        ("a memo in a helper's default", "def ask(text):\n    return True"),
        ("counters of a class", "class Usage:\n    calls, more = 0, 1"),
        ("a memo of a class", "Judge.ask = lambda self, text: True"),
        ("a decorator that counts", "@counted\ndef ask(text):\n    return True"),
        ("a counter that a helper raises", "def spend():\n    pass"),
        ("a memo that a helper is given", "def kept(memo, key, make):\n    return make()"),
    ],
)
def test_beside_what_it_keeps_an_edit_is_another_version(what: str, edit: str) -> None:
    space: dict[str, Any] = {"__name__": "a_notebook"}
    exec(USED[what], space)
    made = scorer(space["judge"])
    before = as_scorer(made).version
    as_scorer(made)("yes")  # type: ignore[operator]
    exec(edit, space)
    assert as_scorer(made).version != before


def test_a_judge_that_keeps_its_client_and_counts_is_paid_once(
    make_lab: Callable[..., Lab],
) -> None:
    """Each run of the cell had been another version of the scorer, and paid for all judgements."""
    lab = make_lab(models={"m": ScriptedModel(lambda call: "Yes")})
    version, paid = lab.prompt("w").save("{{q}}", model="m"), []

    class Usage:
        calls = 0

    @scorer
    def judge(output: str) -> bool:
        Usage.calls += 1
        paid.append(output)
        return True

    for _ in range(3):
        lab.evaluate([version], [{"q": str(i)} for i in range(5)], [judge], name="one").wait()
    assert len(paid) == Usage.calls == 5


EDITED_IN_PLACE = {
    "a dataclass": """
import dataclasses
@dataclasses.dataclass
class Settings:
    words: list = dataclasses.field(default_factory=lambda: ["yes"])
    limit: int = 3
settings = Settings()
def judge(output):
    return output in settings.words and len(output) < settings.limit
""",
    "a namespace": """
import types
settings = types.SimpleNamespace(words=["yes"], limit=3)
def judge(output):
    return output in settings.words and len(output) < settings.limit
""",
    "an object of a class of its own, which also counts": """
class Settings:
    def __init__(self):
        self.words, self.limit, self.calls = ["yes"], 3, {}
    def fits(self, output):
        self.calls[output] = 1
        return len(output) < self.limit
settings = Settings()
def judge(output):
    return output in settings.words and settings.fits(output)
""",
}


@pytest.mark.parametrize("what", EDITED_IN_PLACE)
@pytest.mark.parametrize("edit", ["settings.limit = 4", 'settings.words.append("no")'])
@pytest.mark.parametrize("decorated", [True, False])
def test_an_attribute_that_is_edited_is_another_version(
    what: str, edit: str, decorated: bool
) -> None:
    """Settings that a notebook keeps in an object and changes in a later cell."""
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(EDITED_IN_PLACE[what], space)
    made = scorer(space["judge"]) if decorated else space["judge"]
    before = as_scorer(made).version
    as_scorer(made)("yes")  # type: ignore[operator]
    assert as_scorer(made).version == before
    exec(edit, space)
    assert as_scorer(made).version != before


@pytest.mark.parametrize(
    ("value", "edit"),
    [
        ("numpy.zeros(3)", "held[1] = 1"),
        ('pandas.DataFrame({"a": [0] * 9, "b": ["x"] * 9})', 'held.loc[4, "b"] = "y"'),
        ("pandas.Series([0, 0])", "held[1] = 1"),
        ("collections.OrderedDict(a=0)", 'held["a"] = 1'),
        ("collections.defaultdict(int, a=5)", 'held["a"] = 1'),
        ("collections.Counter(a=5)", 'held["a"] = 1'),
        ("collections.deque([0])", "held[0] = 1"),
        ("bytearray([0])", "held[0] = 1"),
    ],
)
def test_a_table_or_container_that_is_edited_is_another_version(value: str, edit: str) -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec("import collections, numpy, pandas", space)
    exec(f"held = {value}\ndef judge(output):\n    return bool(len(held))", space)
    made = scorer(space["judge"])
    before = as_scorer(made).version
    as_scorer(made)("yes")  # type: ignore[operator]
    assert as_scorer(made).version == before
    exec(edit, space)
    assert as_scorer(made).version != before


SET = """
import collections
class Judge:
    kind = "words"
    def __init__(self, words, **more):
        self._words, self.log = words, []
        for name, value in more.items():
            setattr(self, name, value)
    @property
    def words(self):
        return self._words
    @words.setter
    def words(self, words):
        self._words = words
    @classmethod
    def load(cls, kind):
        cls.kind = kind
    def configure(self, limit):
        self.limit = limit
    def add(self, word):
        self._words.append(word)
    def settings(self):
        return dict(vars(self))
    def __repr__(self):
        return f"Judge({self.__dict__})"
    def __setattr__(self, name, value):
        super().__setattr__(name, value)
    def __call__(self, output):
        self.log.append(output)
        self.last = output
        return len(output) < self.limit and output in self.words and weights[output] < 3
class Attributes(dict):
    __getattr__ = dict.__getitem__
weights = collections.defaultdict(lambda: 1.0)
own, most = Judge(["yes"], limit=9), Attributes(limit=9)
def judge(output):
    return own(output) and len(output) < most.limit
"""


@pytest.mark.parametrize("decorated", [True, False])
@pytest.mark.parametrize(
    "edit",
    [
        "own.configure(4)",
        "own.limit = 4",
        'own.words = ["no"]',
        'own.add("no")',
        'own._words.append("no")',
        'Judge.load("texts")',
        'most["limit"] = 4',
        'weights["yes"] = 3.0',
    ],
)
def test_what_another_cell_sets_is_another_version(edit: str, decorated: bool) -> None:
    """Also by a method: the judge itself calls none of them."""
    space: dict[str, Any] = {"__name__": "a_notebook"}
    exec(SET, space)
    made = scorer(space["judge"]) if decorated else space["judge"]
    before = as_scorer(made).version
    for output in ("yes", "no"):
        as_scorer(made)(output)  # type: ignore[operator]
    assert as_scorer(made).version == before
    exec(edit, space)
    assert as_scorer(made).version != before


def test_a_method_that_the_judge_calls_sets_what_is_its_own() -> None:
    """By its name, as a bound method, or where a library calls it."""
    cell = """
class Kept:
    def __init__(self):
        self.last, self.calls, self.made = "", 0, 0
    def keep(self, text):
        self.last = text
    def count(self):
        self.calls += 1
    def make(self):
        self.made += 1
kept = Kept()
count, table = kept.count, {"make": Kept.make}
def judge(output):
    kept.keep(output)
    count()
    table["make"](kept)
    return True
"""
    space: dict[str, Any] = {"__name__": "a_notebook"}
    exec(cell, space)
    before = as_scorer(space["judge"]).version
    for output in ("yes", "no"):
        space["judge"](output)
    assert as_scorer(space["judge"]).version == before

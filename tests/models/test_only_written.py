"""What a function only writes to decides nothing of its answers, also where it was tried by hand
before the first study; what any of its code reads does.
"""

from __future__ import annotations

import pytest

from promptops.models.code_version import CodeVersion

from .test_edit_meanwhile import kernel

ONLY_WRITTEN = {
    "counter": ("n = 0", "global n\n    n += 1\n    return q"),
    "tally": (
        "used = {'in': 0, 'of': {'a': 0}}",
        "used['in'] += len(q)\n    used['of']['a'] += 1\n    return q",
    ),
    "by key": ("import collections\nseen = collections.Counter()", "seen[q] += 1\n    return q"),
    "enclosed": (
        "def make():\n    n = 0\n    def count(q):\n        nonlocal n\n        n += 1\n"
        "        return q\n    return count\ncount = make()",
        "return count(q)",
    ),
    "list": ("log = []", "global log\n    log += [q]\n    return q"),
    "text": ("log = ''", "global log\n    log += q\n    return q"),
}


@pytest.mark.parametrize("case", ONLY_WRITTEN)
def test_trying_a_function_by_hand_makes_no_other_one_of_it(case: str) -> None:
    """The next kernel had paid for every answer again, since the counter began elsewhere."""
    around, body = ONLY_WRITTEN[case]
    tried, plain = (kernel(around, f"def answer(q):\n    {body}") for _ in range(2))
    tried["answer"]("by hand")
    versions = {CodeVersion(space["answer"], target=True).version for space in (tried, plain)}
    assert len(versions) == 1


CLASS = (
    "class Agent:\n    def __init__(self): self.n = {first}\n"
    "    def ask(self, q):\n        {change}\n        return q\nagent = Agent()"
)
RAISED = CLASS.format(first=0, change="self.n += 1")
APPENDED = CLASS.format(first="[]", change="self.n.append(q)")
READ = {
    "itself": ("n = 0", "global n\n    n += 1\n    return q * n", "n = 9"),
    "a helper": (
        *("n = 0\ndef other(): return n", "global n\n    n += 1\n    return other()"),
        "n = 9",
    ),
    "within": ("n = 0", "global n\n    n += 1\n    return (lambda: n)()", "n = 9"),
    "in a text": ("n = 0", "global n\n    n += 1\n    return f'{n}'", "n = 9"),
    "by name": ("n = 0", "global n\n    n += 1\n    return globals()['n']", "n = 9"),
    "another key": (
        *("used = {'in': 0, 'tone': 'kind'}", "used['in'] += 1\n    return used['tone']"),
        "used['tone'] = 'rude'",
    ),
    "an item": ("n = [0]", "n[0] += 1\n    return q * n[0]", "n[0] = 9"),
    "what is called": (
        *("def held(q): return {'a': 1}", "held(q)['a'] += 1\n    return q"),
        "def held(q): return {'a': 2}",
    ),
    "outside its class": (RAISED, "agent.ask(q)\n    return agent.n", "agent.n = 9"),
    "a list outside": (APPENDED, "agent.ask(q)\n    return len(agent.n)", "agent.n = [1]"),
    "items outside": (APPENDED, "agent.ask(q)\n    return agent.n[-1]", "agent.n = ['x']"),
}


@pytest.mark.parametrize("case", READ)
def test_what_other_code_reads_counts(case: str) -> None:
    """A list to which the methods of a class only append had not counted where a function outside
    it reads that list.
    """
    around, body, edit = READ[case]
    space, other = (kernel(around, f"def answer(q):\n    {body}") for _ in range(2))
    version = CodeVersion(space["answer"], target=True)
    first = version.version
    exec(edit, space)
    exec(edit, other)
    assert version.now(space["answer"]) != first
    assert CodeVersion(other["answer"], target=True).version != first

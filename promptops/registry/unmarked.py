"""Whether a deployment in a file is what the gate would have let through.

The gate spoke when the promotion was made, and a file that somebody wrote by hand never asked it:
its digests hold, and its evidence may be of another prompt, another incumbent or a looser policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import history
from .deployment import DeploymentEntry, of_chain
from .gate import GateRequest, unmet
from .registry_record import policy_in

if TYPE_CHECKING:
    from ..evidence import Evidence
    from .document import Document

__all__ = ["unmarked"]


def unmarked(read: Document, link: DeploymentEntry, evidence: Evidence) -> tuple[str, ...]:
    """The points that the gate would find in a deployment under the file's policy, a sentence each;
    empty for one that is marked as forced, and for a rollback.

    Raises RegistryCorrupt if the version that it brings cannot be read.
    """
    brought = link.canary.id if link.canary is not None else link.id
    prompt = read["prompts"][link.prompt]
    numbered = history.numbers(prompt)
    if link.forced or link.kind == "rollback" or brought not in numbered:
        return ()
    chain = of_chain(link.prompt, link.env, prompt["environments"][link.env], numbered)
    before = [each for each in chain if each.position < link.position]
    if not before and link.position > 1:
        return ()  # an export left out what served then
    request = GateRequest(
        prompt=link.prompt,
        env=link.env,
        number=numbered[brought],
        version=history.find(prompt, link.prompt, brought).version,
        policy=policy_in(read, prompt),
        chain=before,
        served=history.served(prompt),
    )
    return tuple(point.point for point in unmet(request, evidence))

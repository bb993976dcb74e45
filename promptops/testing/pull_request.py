"""One comment on a pull request, written once and edited from then on.

The comment is known by a mark that no reader sees. Source of the interface: GitHub's REST API for
issue comments (list, create and update an issue comment), version 2022-11-28.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import SetupError

__all__ = ["PullRequest"]

_NEXT = re.compile(r'<([^<>]{1,2000})>; ?rel="next"')
_LONGEST = 65_000  # characters; the host refuses comments past 65,536
_TIMEOUT_S = 20.0
_PAGES = 30


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request of a repository.

    repository: owner/name; number: of the pull request; token: of a job that may write comments;
    api: the address of the host's interface.
    """

    repository: str
    number: int
    token: str
    api: str = "https://api.github.com"

    def comment(self, text: str, name: str = "promptops") -> str:
        """Write the comment of this name, or edit the one that is there.

        Args:
            text: Markdown; cut if it is longer than the host takes.
            name: it distinguishes several comments of one pull request.

        Returns:
            "created", "edited" or "unchanged".

        Raises:
            SetupError: the host does not answer, or refuses; the text of its answer is in it, the
                token is not.
        """
        mark = f"<!-- {name} -->"
        body = f"{mark}\n{text if len(text) <= _LONGEST else text[:_LONGEST] + ' (cut)'}"
        for found in self._comments():
            if str(found.get("body", "")).startswith(mark):
                if found["body"].replace("\r\n", "\n").rstrip() == body.rstrip():
                    return "unchanged"
                self._ask("PATCH", f"{self._root}/issues/comments/{int(found['id'])}", body)
                return "edited"
        self._ask("POST", f"{self._root}/issues/{self.number}/comments", body)
        return "created"

    @property
    def _root(self) -> str:
        return f"{self.api.rstrip('/')}/repos/{self.repository}"

    def _comments(self) -> Iterator[dict[str, Any]]:
        address: str | None = f"{self._root}/issues/{self.number}/comments?per_page=100"
        for _ in range(_PAGES):
            if address is None:
                return
            found, links = self._ask("GET", address)
            if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
                raise SetupError(
                    f"the comments on {self.repository}#{self.number} could not be listed:"
                    f" {self.api} answers with something other than a list of comments; give the"
                    " address of GitHub's REST API as --api or GITHUB_API_URL."
                )
            yield from found
            following = _NEXT.search(links)
            address = following[1] if following else None
            if address is not None and not address.startswith(self.api.rstrip("/") + "/"):
                return  # the token goes to no other host

    def _ask(self, method: str, address: str, body: str | None = None) -> tuple[Any, str]:
        request = urllib.request.Request(
            address,
            method=method,
            data=json.dumps({"body": body}).encode() if body is not None else None,
            headers={
                "Authorization": f"Bearer {self.token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
                return json.loads(answer.read() or b"null"), answer.headers.get("Link", "")
        except urllib.error.HTTPError as error:
            wording = error.read(300).decode("utf-8", "replace").replace(self.token, "[redacted]")
            raise SetupError(
                f"the comment on {self.repository}#{self.number} was refused ({error.code}):"
                f" {wording}"
            ) from None
        except (OSError, ValueError) as error:
            raise SetupError(
                f"the comment on {self.repository}#{self.number} could not be written: {error}"
            ) from None

"""Answers from Anthropic's Messages API, through the anthropic package or a client of it that is
handed in: also one for Bedrock or Vertex, which rewrites what its own `post` is given.
"""

from __future__ import annotations

from typing import Any

from ..errors import MissingExtra, SetupError
from .anthropic_batches import AnthropicBatches
from .batches import BatchDoor
from .clients import (
    AsyncSender,
    Clients,
    DirectSender,
    Sender,
    ThreadSender,
    keep_out_of_logs,
    label_of,
    response_type,
)
from .endpoint import EndpointModel

__all__ = ["AnthropicModel"]


class AnthropicModel(EndpointModel):
    """Answers from an address that speaks Anthropic's messages.

    client: an anthropic client to use (Anthropic, AsyncAnthropic, AnthropicBedrock, ...), else one
    is made: api_key, or ANTHROPIC_API_KEY; base_url, or ANTHROPIC_BASE_URL, or Anthropic's own.
    label, stream: as of an EndpointModel.
    """

    @property
    def apis(self) -> frozenset[str]:
        """The request forms that it takes."""
        return frozenset(("anthropic",))

    def batches(self, api: str) -> BatchDoor:
        """Message batches. Raises SetupError if the client has none, as those of Bedrock."""
        door = self._clients.library_client(self._failed)
        if not hasattr(door.client.messages, "batches"):
            raise SetupError(
                f"{type(door.client).__name__} has no message batches; leave batch=True out, or"
                " pass a client that has them."
            )
        return AnthropicBatches(door)

    def _clients_of(self, client: Any, base_url: str | None, api_key: str | None) -> Clients:
        return _AnthropicClients(client, base_url, api_key)


class _AnthropicClients(Clients):
    """Clients of the anthropic package, made and used as those of openai are."""

    KEY, ADDRESS = "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"
    DEFAULT, CLIENT = "https://api.anthropic.com", "Anthropic"
    HEADERS = "ANTHROPIC_CUSTOM_HEADERS"

    def _library(self) -> Any:
        try:
            import anthropic
        except ImportError:
            raise MissingExtra("asking Anthropic", "anthropic") from None
        return anthropic

    def _plain_address(self) -> None:
        """None: the library always sends."""

    def _through_library(self) -> Sender:
        library, given = self._library(), self._client
        keep_out_of_logs(self.secrets, response_type(library).__module__.partition(".")[0])
        try:
            if given is not None:
                copy = given.with_options(max_retries=0)
                return (
                    AsyncSender(library, copy, owned=False)
                    if hasattr(given, "__aenter__")
                    else ThreadSender(library, copy)
                )
            http = library.DefaultAioHttpClient()
            made = library.AsyncAnthropic(
                api_key=self._key, base_url=self.base_url, http_client=http, max_retries=0
            )
            return DirectSender(library, made, http)
        except library.AnthropicError as error:
            raise SetupError(
                f"the anthropic client for {label_of(self.base_url)} cannot be made: {error}"
            ) from None

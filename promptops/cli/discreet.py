"""What the dashboard's kernel sends to the page: widgets, and never what went wrong, with its paths
and source lines.

Errors, and what threads, loggers and warnings write, go to the log of the server instead, for
anyone who runs it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from jupyter_server.auth.identity import PasswordIdentityProvider, User
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tornado.ioloop import IOLoop
from tornado.web import RequestHandler

from ..markup import plain

__all__ = ["GOING_AWAY", "GRACE_S", "Discreet", "Login"]

GOING_AWAY = 1001  # the websocket's close code of a page that is closed or left
GRACE_S = 0.5  # for another connection of the same page


class Discreet(ZMQChannelsWebsocketConnection):
    """A connection of page and kernel without the kernel's errors and text output. The kernel ends
    with its page: a browser that closes one says so, also where it does not let the page say it.
    """

    def disconnect(self) -> None:  # type: ignore[override,unused-ignore]
        """Let the connection go, and the kernel too if its page was closed.

        A connection that breaks, as a laptop's does that falls asleep, may come back to its kernel.
        """
        closed = self.websocket_handler.close_code == GOING_AWAY
        super().disconnect()  # type: ignore[no-untyped-call,unused-ignore]
        if closed:
            IOLoop.current().call_later(GRACE_S, self._end)

    async def _end(self) -> None:
        kernels = self.multi_kernel_manager
        with suppress(Exception):  # the page's own request to end it came first, and is at work
            if not kernels.kernel_model(self.kernel_id)["connections"]:
                await kernels.shutdown_kernel(self.kernel_id)

    def handle_outgoing_message(self, stream: str, outgoing_msg: list[Any]) -> None:
        """Pass a message on, or log it; `outgoing_msg` is what the kernel sent, as frames."""
        _, frames = self.session.feed_identities(outgoing_msg)
        kind = self.session.unpack(frames[1])["msg_type"]
        if kind not in ("error", "stream"):
            super().handle_outgoing_message(stream, outgoing_msg)
            return
        content = self.session.unpack(frames[4])
        lines = content.get("traceback", ()) if kind == "error" else [content.get("text", "")]
        self.log.warning("The dashboard's kernel: %s", plain("\n".join(map(str, lines))).rstrip())


class Login(PasswordIdentityProvider):
    """A login that also hands the page the cookie without which it may not end its kernel."""

    def set_login_cookie(self, handler: RequestHandler, user: User) -> None:
        """Set the login's cookie, and the one that a request to end the kernel has to carry."""
        super().set_login_cookie(handler, user)
        handler.current_user = user  # which the cookie's lifetime depends on
        handler.xsrf_token  # reading it sets the cookie  # noqa: B018

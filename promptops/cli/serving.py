"""Servers that we start take no configuration from the folder that they are started in.

Voilà and JupyterLab read `voila.py`, `jupyter_lab_config.py` and their like, and run them, from the
working folder first of all. That folder may be a fresh checkout, and its files are not the user's
wishes. So the page's server runs in a folder that we make, with configuration folders that we make;
so does JupyterLab, and keeps the configuration that the user has at home.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["apart", "base_of", "closed", "jupyterlab", "policy"]

_CONFIGURED = ("JUPYTER_CONFIG_DIR", "JUPYTER_CONFIG_PATH", "JUPYTERLAB_SETTINGS_DIR")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_BASE = re.compile(r"(?:(https?)://([A-Za-z0-9.-]+(?::[0-9]{1,5})?))?((?:/[A-Za-z0-9._~-]+)*/?)")
# a page that closes ends its kernel; one that a browser or a proxy dropped is left to this
_IDLE_S = 600


@contextlib.contextmanager
def apart(folder: Path) -> Iterator[None]:
    """Work in `folder`, with `folder` as the only place of Jupyter's configuration, and go back
    afterwards.
    """
    before = {name: os.environ.get(name) for name in _CONFIGURED}
    with contextlib.chdir(folder):
        os.environ.update(dict.fromkeys(_CONFIGURED, str(folder)))
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def jupyterlab(notebook: Path) -> None:
    """Become JupyterLab on one notebook. Does not return.

    It starts in the folder of this module, where there is no configuration, and `-P` keeps Python
    from importing what is there.
    """
    command = [sys.executable, "-P", "-m", "jupyterlab", str(notebook.resolve())]
    os.chdir(Path(__file__).resolve().parent)
    os.execv(sys.executable, command)


def base_of(url: str) -> tuple[str, str, str]:
    """(scheme, host, path) of the address that a proxy gives to the page; scheme and host are ""
    if only a path is given, and the path begins and ends with a slash.

    Raises ValueError if it is not an address or a path.
    """
    found = _BASE.fullmatch(url)
    if not found or not url:
        raise ValueError(
            f"{url!r} is not the address of a page; give it as https://HOST/PATH/ or as /PATH/."
        )
    scheme, host, path = found.groups()
    return scheme or "", host or "", f"{path.rstrip('/')}/"


def closed(folder: Path, ip: str, port: int, base_url: str = "/") -> object:
    """Voilà's settings for a page that loads from this server alone and tells nothing of what went
    wrong inside.

    folder: the only place where Voilà may look for its own configuration; base_url: as for
    `base_of`. The cookie of a login is sent to this site alone, and by https alone where the page
    is reached by it or the server listens beyond this machine. A kernel without a page ends.
    """
    from traitlets.config import Config

    config = Config()
    config.Voila.config_file_paths = [str(folder)]
    scheme, host, path = base_of(base_url)
    config.Voila.base_url = path
    config.Voila.tornado_settings = {
        "headers": {
            "Content-Security-Policy": policy(ip, port, host),
            "Referrer-Policy": "no-referrer",
        }
    }
    config.IdentityProvider.cookie_options = {"samesite": "Strict"}
    if scheme == "https" or (ip not in _LOOPBACK and scheme != "http"):
        config.IdentityProvider.secure_cookie = True
    config.MappingKernelManager.cull_idle_timeout = _IDLE_S
    config.MappingKernelManager.cull_interval = _IDLE_S // 10
    config.Voila.kernel_websocket_connection_class = "promptops.cli.discreet.Discreet"
    config.Voila.identity_provider_class = "promptops.cli.discreet.Login"
    return config


def policy(ip: str, port: int, host: str = "") -> str:
    """What the page may load and whom it may talk to: this server, under the names by which it is
    reached, and nobody else. host: the name, and port, that a proxy gives it.

    Voilà's own template asks a content network for a font.
    """
    # what its widgets need, and no other address
    own = "'self' 'unsafe-inline' 'unsafe-eval' data: blob:"
    names = (
        ("127.0.0.1", "localhost")
        if ip in _LOOPBACK
        else ()
        if ip in ("", "0.0.0.0", "::")
        else (ip,)
    )
    # "self" means the websocket too, except in browsers from before 2022; an IPv6 address cannot be
    # written in a policy
    sockets = [
        f"{scheme}://{name}:{port}" for name in names if ":" not in name for scheme in ("ws", "wss")
    ]
    sockets += [f"{scheme}://{host}" for scheme in ("ws", "wss") if host]
    talks = " ".join(["'self'", *sockets])
    return (
        f"default-src {own}; connect-src {talks}; object-src 'none'; base-uri 'self'; form-action"
        " 'self'; frame-ancestors 'self'"
    )

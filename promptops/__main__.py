"""`python -m promptops`: the command line, also when its script is not in PATH."""

from __future__ import annotations

from .cli.__main__ import main

if __name__ == "__main__":
    main()

"""Writes a program for `nix run`: a shell script that starts Python.

The specification: `{"command": [PROGRAM, ARGUMENT…]}`. What the user writes is added to it.
"""

import shlex
from pathlib import Path

from derivation import output, specification


def write_program(command: list[str], out: Path) -> None:
    """Write the program to the file `out`. Every Linux has /bin/sh, NixOS too."""
    out.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    out.chmod(0o755)


if __name__ == "__main__":
    write_program(specification()["command"], output())

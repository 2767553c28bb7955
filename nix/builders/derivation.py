"""What Nix hands a builder: a specification in JSON and the place of its output."""

import json
import os
from pathlib import Path
from typing import Any


def specification() -> dict[str, Any]:
    """The derivation's `spec`, from the file that `passAsFile` made of it."""
    value: dict[str, Any] = json.loads(Path(os.environ["specPath"]).read_text())
    return value


def output() -> Path:
    """Where the output goes; it does not exist yet."""
    return Path(os.environ["out"])

"""A command's result as JSON, for programs."""

import json


def print_json(value: object) -> None:
    """Print `value`, indented. Names of files need not be text: what is none is replaced."""
    print(json.dumps(value, indent=1, ensure_ascii=False).encode(errors="replace").decode())

"""Keep what is expensive to compute, by what it was computed from."""

import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from pydantic import TypeAdapter

from pycomfy.adapters.io.atomic_files import write_file

T = TypeVar("T")


def compute_once(known: Path, values: TypeAdapter[T], compute: Callable[[], T]) -> T:
    """Return what is kept in the file `known`, else what `compute` returns, which is kept there.

    The file's name must say all that the value depends on. A damaged file, or one of another form, is replaced.
    Raises `NoSpace`.
    """
    with contextlib.suppress(OSError, ValueError):
        return values.validate_json(known.read_bytes())
    value = compute()
    try:
        data = values.dump_json(value)
    except ValueError:  # a text that is no Unicode, such as a file name
        return value
    write_file(known, data)
    return value


def fingerprint(*parts: object) -> str:
    """Return a hash of values that JSON can hold, in hexadecimal."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def code_fingerprint(*modules: ModuleType) -> str:
    """Return a hash of the source of modules, of a package all modules directly in it: what older code computed must
    not be taken for what this code would."""
    digest = hashlib.sha256()
    for module in modules:
        file = Path(str(module.__file__))
        for path in sorted(file.parent.glob("*.py")) if file.name == "__init__.py" else [file]:
            digest.update(path.read_bytes())
    return digest.hexdigest()

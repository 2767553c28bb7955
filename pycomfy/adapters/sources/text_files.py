"""The texts of a source that resolving reads, and a folder to unpack one in."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from pycomfy.adapters.git.checkout import MAX_TEXT
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.io.temp_dirs import temporary_folder
from pycomfy.adapters.sources.local_folder import walk_code

_BYTE_ORDER: Mapping[bytes, str] = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def is_text(path: str) -> bool:
    """Return whether resolving reads this file. A name that is not text cannot be imported by Python."""
    if any("\ud800" <= c <= "\udfff" for c in path):
        return False
    return path.endswith((".py", ".txt")) or path in ("pyproject.toml", "node_list.json")


class Selection:
    """Selects the texts of a tree by their paths, and notices `scripts`: whether there is any JavaScript."""

    def __init__(self) -> None:
        self.scripts = False

    def __call__(self, path: str) -> bool:
        self.scripts = self.scripts or path.endswith((".js", ".mjs"))
        return is_text(path)


def decode_text(data: bytes) -> str:
    """Return the text, whatever its encoding: requirement files are written by every editor there is. What is not text
    stays harmless."""
    encoding = next((name for mark, name in _BYTE_ORDER.items() if data.startswith(mark)), "utf-8")
    return data.decode(encoding, errors="replace")


def read_texts(folder: Path, selection: Selection) -> dict[str, str]:
    """Return the texts of a folder, by path below it."""
    return dict(_read_texts(folder, selection))


def _read_texts(folder: Path, selection: Selection) -> Iterator[tuple[str, str]]:
    for path in walk_code(folder):
        name = path.relative_to(folder).as_posix()
        if selection(name) and path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_TEXT:
            yield name, decode_text(path.read_bytes())


@contextlib.contextmanager
def scratch_folder(paths: Paths) -> Iterator[Path]:
    """Give an empty folder in the cache for a while: a large tree might fill a small /tmp."""
    with temporary_folder(paths.cache, ".tree-") as outer:
        folder = outer / "tree"
        folder.mkdir()
        yield folder

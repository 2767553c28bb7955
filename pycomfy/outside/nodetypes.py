"""Which node types sources provide, read once: the same files have the same types as long as they are read the same."""

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pycomfy.flow import needs
from pycomfy.flow.needs.catalogue import NODE_LIST, Catalogue, catalogue
from pycomfy.outside.files import write_file


def read_types(files: Mapping[str, str], cache: Path) -> Catalogue:
    """As `needs.catalogue.catalogue`; the answer is kept in `cache` by a hash of the files."""
    files = {path: text for path, text in files.items() if path.endswith(".py") or path == NODE_LIST}
    known = cache / "types" / f"{_fingerprint(files)}.json"
    try:
        value = json.loads(known.read_bytes())
        return Catalogue({str(k): str(v) for k, v in value["types"].items()}, tuple(map(str, value["dynamic"])))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass
    found = catalogue(files)
    write_file(known, json.dumps({"types": dict(found.types), "dynamic": found.dynamic}))
    return found


def _fingerprint(files: Mapping[str, str]) -> str:
    digest = hashlib.sha256(_reader())
    for path, text in sorted(files.items()):
        for part in (path, text):
            data = part.encode(errors="surrogatepass")
            digest.update(b"%d:" % len(data))
            digest.update(data)
    return digest.hexdigest()


@functools.cache
def _reader() -> bytes:
    """A hash of the code that reads: a pycomfy that reads better must not believe what another one saw."""
    folder = Path(str(needs.__file__)).parent
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))).digest()

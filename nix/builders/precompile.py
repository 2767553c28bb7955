"""Compiles the builders, and the modules that they import, once for all: Debian's Python comes without bytecode.

There is no `spec`. Python is started with the output as its `pycache_prefix`, and so is every builder later. What they
find there is never compared with the source: neither changes in the Nix store.
"""

import importlib
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

from bytecode import compile_source


def imported() -> dict[Path, Path]:
    """The sources of all modules that are imported, each with the place of its bytecode."""
    specs = [getattr(module, "__spec__", None) for module in sys.modules.values()]
    return {
        Path(spec.origin): Path(spec.cached)
        for spec in specs
        if spec is not None and isinstance(spec.loader, SourceFileLoader) and spec.origin and spec.cached
    }


def main() -> None:
    for file in sorted(Path(__file__).parent.glob("*.py")):
        importlib.import_module(file.stem)
    for source, place in imported().items():
        compiled = compile_source(source.read_bytes(), str(source))
        if compiled is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(compiled)


if __name__ == "__main__":
    main()

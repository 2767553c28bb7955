"""Run ComfyUI's main.py as `line_by_line.py` does, and hold it where it begins to load node packs, until somebody
opens the named pipe `PYCOMFY_HOLD` for writing."""

import os
import sys

sys.path[0] = os.path.dirname(sys.argv[1])  # noqa: PTH120  as `line_by_line.py` does, and why

import importlib.abc  # noqa: E402
import importlib.util  # noqa: E402
import inspect  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from importlib.machinery import ModuleSpec  # noqa: E402
from types import ModuleType  # noqa: E402
from typing import Any  # noqa: E402

PIPE = os.environ.pop("PYCOMFY_HOLD")  # node packs see the environment that they always see


def wait() -> None:
    """Return once the pipe was opened and closed by another process."""
    with open(PIPE, "rb") as pipe:  # noqa: PTH123
        pipe.read()


def hold(nodes: Any) -> None:
    """Let the function of ComfyUI's module that loads node packs wait first. It is a coroutine since 0.3.46."""
    load = nodes.init_external_custom_nodes

    async def load_later() -> object:
        wait()
        return await load()

    def load_later_at_once() -> object:
        wait()
        return load()

    nodes.init_external_custom_nodes = load_later if inspect.iscoroutinefunction(load) else load_later_at_once


class Finder(importlib.abc.MetaPathFinder):
    """Finds ComfyUI's module `nodes`, once, and holds what it defines."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As `importlib.abc.MetaPathFinder` has it."""
        if name != "nodes":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_and_hold(module: ModuleType) -> None:
                run(module)
                hold(module)

            spec.loader.exec_module = run_and_hold  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, Finder())
with open(os.path.join(os.path.dirname(__file__), "line_by_line.py"), "rb") as script:  # noqa: PTH118, PTH120, PTH123
    exec(compile(script.read(), script.name, "exec"))  # noqa: S102  it replaces the path that this was found by

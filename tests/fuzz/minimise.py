"""Make an input smaller that shows a fault, as long as it shows the same one."""

import copy
import time
from collections.abc import Callable, Iterator

from tests.fuzz.formats import Format, Tree

MAX_TRIES = 1500
MAX_SECONDS = 60


def minimise(data: bytes, format_: Format, shows: Callable[[bytes], bool]) -> bytes:
    """Return the smallest input found for which `shows` is true, as it is for `data`."""
    left = [MAX_TRIES]
    end = time.monotonic() + MAX_SECONDS

    def still(changed: bytes) -> bool:
        left[0] = left[0] - 1 if time.monotonic() < end else 0
        return left[0] > 0 and len(changed) < len(data) and shows(changed)

    try:
        smaller = True
        while smaller and left[0] > 0:
            smaller = False
            for tree in _smaller_trees(format_.decode(data)):
                changed = format_.encode(tree)
                if still(changed):
                    data, smaller = changed, True
                    break
    except Exception:  # noqa: BLE001 - an input that has not the format is cut as bytes
        pass
    size = len(data) // 2
    while size and left[0] > 0:
        at = 0
        while at < len(data):
            changed = data[:at] + data[at + size :]
            if still(changed):
                data = changed
            else:
                at += size
        size //= 2
    return data


def _smaller_trees(tree: Tree) -> Iterator[Tree]:
    """Yield trees that lack something of `tree`, what lacks most first."""
    paths = sorted(_paths(tree), key=len)
    for path in paths:
        smaller = copy.deepcopy(tree)
        container = smaller
        for key in path[:-1]:
            container = container[key]
        del container[path[-1]]
        yield smaller


def _paths(tree: Tree, before: tuple[Tree, ...] = ()) -> Iterator[tuple[Tree, ...]]:
    if isinstance(tree, dict | list):
        for key in list(tree) if isinstance(tree, dict) else range(len(tree) - 1, -1, -1):
            yield (*before, key)
            yield from _paths(tree[key], (*before, key))

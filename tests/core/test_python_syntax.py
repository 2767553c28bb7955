"""Source is parsed without running it, by several threads too."""

import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pycomfy.core.python_syntax import MAX_SOURCE, parse_source


@pytest.mark.parametrize("source", ["def", "x = '\0'", "(" * 5000, "#" * (MAX_SOURCE + 1)])
def test_what_is_not_python_or_too_large_has_no_tree(source: str) -> None:
    assert parse_source(source) is None


@pytest.fixture
def garbage_lets_other_threads_in() -> Iterator[None]:
    """Collect garbage while syntax trees are made, and change threads there."""
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(50, 2, 2)
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*thresholds)


class Cycle:
    """Garbage that runs Python when it is collected."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        for _ in range(50):
            pass


@pytest.mark.usefixtures("garbage_lets_other_threads_in")
def test_several_threads_parse_at_a_time() -> None:
    source = "\n".join(f"def function_{i}(a, b=[1, 2, {{'x': a.b.c(i)}}]):\n    return a + b * {i}" for i in range(40))

    def parse(_: int) -> bool:
        for _ in range(20):
            Cycle()
        return parse_source(source) is not None

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(parse, range(40)))

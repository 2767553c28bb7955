"""What holds for every test."""

import signal
from collections.abc import Sequence

import pytest

# A job in the background of a shell ignores these, and so would all that the tests start and then interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Where there are several workers, each takes whole files; those that load the same image go to the same one."""
    for item in items:
        shares_image = "shell" in getattr(item, "fixturenames", ())
        group = "engine" if shares_image else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))

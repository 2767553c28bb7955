"""End what takes too long: programs and downloads of a block are cancelled, and nothing else of the operation is."""

import contextlib
import threading
from collections.abc import Iterator

from pycomfy.errors import PycomfyError
from pycomfy.operation import Cancelled, cancel_scope, open_cancel_scope


class TookTooLong(PycomfyError):
    """Something that was begun did not end within its time."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Cancel the block after `seconds`, and raise `TookTooLong`. Raises `Cancelled` if the operation is cancelled."""
    outer = cancel_scope()
    with open_cancel_scope() as scope:
        timer = threading.Timer(seconds, scope.cancel)
        timer.daemon = True
        timer.start()
        try:
            yield
        except Cancelled:
            outer.check()
            raise TookTooLong(f"it did not end within {seconds:g} seconds") from None
        finally:
            timer.cancel()

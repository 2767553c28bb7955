import threading

import pytest

from pycomfy.adapters.io.process import run
from pycomfy.adapters.io.time_limit import TookTooLong, time_limit
from pycomfy.operation import Cancelled, Operation, cancel_scope


def test_what_is_done_in_time_is_left_alone() -> None:
    with time_limit(60):
        assert run(["true"]).returncode == 0


def test_a_program_that_takes_too_long_is_ended_and_the_operation_goes_on() -> None:
    with Operation().running():
        with pytest.raises(TookTooLong, match=r"within 0\.1 seconds"), time_limit(0.1):
            run(["sleep", "600"])
        cancel_scope().check()
        assert run(["true"]).returncode == 0


def test_a_cancelled_operation_is_not_taken_for_a_slow_one() -> None:
    operation = Operation()
    with operation.running():
        threading.Timer(0.1, operation.cancel_scope.cancel).start()
        with pytest.raises(Cancelled), time_limit(600):
            run(["sleep", "600"])


def test_an_error_of_the_block_is_its_own() -> None:
    with pytest.raises(ValueError, match="mine"), time_limit(60):
        raise ValueError("mine")

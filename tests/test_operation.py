"""Operations in one process: each has its own progress, questions and end."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping

import pytest

from pycomfy import operation
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.io.process import run
from pycomfy.errors import BadInput
from pycomfy.operation import Cancelled, CancelScope, Operation
from tests.support.operations import Recorder, Worker
from tests.support.waiting import HANG, wait_until

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


def test_one_that_fails_and_one_that_is_cancelled_leave_a_third_alone() -> None:
    go_on, waits = threading.Event(), threading.Event()

    def third() -> str:
        with operation.step("Work"):
            waits.set()
            assert go_on.wait(HANG)
            return run([sys.executable, "-c", "print('done')"]).stdout.decode().strip()

    def failing() -> None:
        def fail() -> None:
            raise BadInput("it is wrong")

        run_concurrently({"fails": fail, "works": lambda: None})

    def slow() -> None:
        run_concurrently({str(n): lambda: run(SLEEP) for n in range(3)})

    undisturbed, cancelled, failed = Worker(third), Worker(slow), Worker(failing)
    failed.join(HANG)
    assert isinstance(failed.outcome, BadInput) and not failed.operation.cancel_scope.cancelled
    wait_until(waits.is_set)
    cancelled.operation.cancel_scope.cancel()
    cancelled.join(HANG)
    assert isinstance(cancelled.outcome, Cancelled)
    assert undisturbed.is_alive() and not undisturbed.operation.cancel_scope.cancelled
    go_on.set()
    undisturbed.join(HANG)
    assert undisturbed.outcome == "done"
    assert isinstance(undisturbed.operation.progress, Recorder) and undisturbed.operation.progress.begun == ["Work"]


def test_a_fatal_error_ends_the_programs_of_its_siblings_alone() -> None:
    started = threading.Event()

    def sleep() -> None:
        process = subprocess.Popen(SLEEP, stdout=subprocess.PIPE)
        with process, operation.cancel_scope().on_cancel(process.kill):
            assert process.stdout is not None and process.stdout.read(2) == b"up"
            started.set()
            process.wait()

    def fail() -> None:
        assert started.wait(HANG)
        raise BadInput("no use going on")

    mine = Operation()
    with mine.running(), pytest.raises(BadInput):
        run_concurrently({"sleeps": sleep, "fails": fail}, fatal=(BadInput,))
    assert not mine.cancel_scope.cancelled


def test_an_interruption_while_jobs_are_started_ends_those_that_run() -> None:
    """As Ctrl-C does, which can come at any moment: it raises in the thread that starts them."""
    waits, ended = threading.Event(), threading.Event()

    def job() -> None:
        waits.set()
        try:
            operation.cancel_scope().wait(HANG)
        except Cancelled:
            ended.set()

    class Interrupted(Mapping[str, Callable[[], None]]):
        def __iter__(self) -> Iterator[str]:
            yield "first"
            wait_until(waits.is_set)
            raise KeyboardInterrupt

        def __len__(self) -> int:
            return 2

        def __getitem__(self, name: str) -> Callable[[], None]:
            return job

    with Operation().running(), pytest.raises(KeyboardInterrupt):
        run_concurrently(Interrupted())
    assert ended.is_set()


def test_what_begins_after_the_cancellation_does_not_run() -> None:
    scope = CancelScope()
    scope.cancel()
    ran = []
    with pytest.raises(Cancelled), scope.on_cancel(lambda: None):
        ran.append(True)
    assert ran == []
    with pytest.raises(Cancelled):
        scope.wait(600)


def test_an_error_that_the_cancellation_caused_is_a_cancellation() -> None:
    scope = CancelScope()
    with pytest.raises(Cancelled), scope.on_cancel(lambda: None):
        scope.cancel()
        raise OSError("the connection was cut")


def test_nothing_is_called_for_a_block_that_has_ended() -> None:
    """What it would act on is gone: the number of a file or of a process may be another's by then. The block notices
    the end by itself here, before its turn comes."""
    scope = CancelScope()
    works, first, ended = threading.Event(), threading.Event(), threading.Event()
    late = []

    def work() -> None:
        with contextlib.suppress(Cancelled), scope.on_cancel(lambda: late.append(ended.is_set())):
            works.set()
            assert first.wait(HANG)
            scope.check()
        ended.set()

    def hold() -> None:
        first.set()
        ended.wait(0.2)  # as long as a block needs that is not kept from its end

    with pytest.raises(Cancelled), scope.on_cancel(hold):
        thread = threading.Thread(target=work)
        thread.start()
        assert works.wait(HANG)
        scope.cancel()
    thread.join(HANG)
    assert ended.is_set() and late == [False]


def test_what_one_callback_raises_keeps_no_other_from_being_called() -> None:
    scope = CancelScope()
    called = []

    def fail() -> None:
        raise OSError("it is closed")

    called_too = scope.on_cancel(lambda: called.append(True))
    with pytest.raises(Cancelled), scope.on_cancel(fail), called_too, scope.on_cancel(fail):
        scope.cancel()
    assert called == [True]


def test_threads_inherit_the_operation() -> None:
    recorder = Recorder()
    with Operation(recorder).running():
        run_concurrently({"a": lambda: operation.report("heard"), "b": lambda: operation.step("seen")})
    assert recorder.remarks == ["heard"] and recorder.begun == ["seen"]
    assert operation.current().progress is not recorder

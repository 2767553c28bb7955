"""Watching folders, with the kernel's own notifications."""

import os
import signal
import threading
from pathlib import Path

import pytest

from pycomfy.adapters.io.file_watch import FileWatch
from pycomfy.adapters.io.process import signals_as_exceptions
from pycomfy.errors import NotFound
from pycomfy.operation import Cancelled, Operation


def test_a_change_before_the_wait_is_told(tmp_path: Path) -> None:
    watch = FileWatch([tmp_path])
    (tmp_path / "nodes.py").write_text("x = 1\n")
    assert watch.wait() == {tmp_path / "nodes.py"}
    watch.close()


def test_a_file_that_replaces_another_one_is_a_change_of_that(tmp_path: Path) -> None:
    (tmp_path / "nodes.py").write_text("x = 1\n")
    watch = FileWatch([tmp_path])
    (tmp_path / "nodes.py.new").write_text("x = 2\n")
    (tmp_path / "nodes.py.new").replace(tmp_path / "nodes.py")
    assert tmp_path / "nodes.py" in watch.wait()
    watch.close()


def test_what_programs_write_for_themselves_is_none(tmp_path: Path) -> None:
    watch = FileWatch([tmp_path])
    for name in ("__pycache__", ".git"):
        (tmp_path / name).mkdir()
    for name in (".nodes.py.swp", "nodes.py~", "nodes.pyc"):
        (tmp_path / name).touch()
    (tmp_path / "last").touch()
    assert watch.wait() == {tmp_path / "last"}
    watch.close()


def test_a_folder_in_a_folder_of_that_name_is_watched_all_the_same(tmp_path: Path) -> None:
    inside = tmp_path / "node_modules" / "pack"
    inside.mkdir(parents=True)
    watch = FileWatch([inside])
    (inside / "nodes.py").touch()
    assert watch.wait() == {inside / "nodes.py"}
    watch.close()


def test_paths_are_told_without_links(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    watch = FileWatch([tmp_path / "link"])
    (tmp_path / "real" / "nodes.py").touch()
    assert watch.wait() == {tmp_path / "real" / "nodes.py"}
    watch.close()


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        FileWatch([tmp_path / "gone"])
    assert str(tmp_path / "gone") in caught.value.where


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait(tmp_path: Path, number: signal.Signals) -> None:
    watch = FileWatch([tmp_path])
    with signals_as_exceptions(), pytest.raises(KeyboardInterrupt):
        threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
        watch.wait()
    watch.close()


def test_a_cancelled_operation_waits_no_longer(tmp_path: Path) -> None:
    watch, operation = FileWatch([tmp_path]), Operation()
    threading.Timer(0.2, operation.cancel_scope.cancel).start()
    with operation.running(), pytest.raises(Cancelled):
        watch.wait()
    watch.close()

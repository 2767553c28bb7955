"""Whatever an operation waits for, cancelling it ends the wait; with nothing left behind."""

import fcntl
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pycomfy import operation
from pycomfy.adapters.archive.binary_cache import find_archive
from pycomfy.adapters.containers.arguments import ContainerSpec
from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.containers.load import forget, provide
from pycomfy.adapters.containers.process import run_container
from pycomfy.adapters.database.connection import Connection
from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.adapters.io import process
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.io.download import File, fetch_all, fetch_unpinned, read
from pycomfy.adapters.io.file_locks import exclusive_lock, try_lock, wait_for_lock
from pycomfy.adapters.io.http_client import make_client
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.io.temp_dirs import temporary_folder
from pycomfy.adapters.models.download import fetch_unknown
from pycomfy.adapters.models.hubs import find_hubs
from pycomfy.adapters.models.store import ModelStore
from pycomfy.adapters.nix.build import BuildTarget, build, evaluate
from pycomfy.adapters.nix.nar_writer import hash_path
from pycomfy.adapters.nix.settings import NixSettings, check_store
from pycomfy.adapters.versions.repository import VersionsRepository, versions_repository_path
from pycomfy.errors import MissingTool
from pycomfy.operation import Cancelled, Operation
from tests.support.file_server import Site
from tests.support.operations import Worker
from tests.support.tiny_image import write_layout
from tests.support.waiting import wait_until

SHA256 = "0" * 64


def cancel(worker: Worker) -> None:
    """It must be left soon, long before the wait could end otherwise."""
    worker.operation.cancel_scope.cancel()
    worker.join(50)
    assert isinstance(worker.outcome, Cancelled), worker.outcome


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"  # ended, if nobody has noticed yet
    except OSError:
        return False


# — programs —


def sleeper(marker: Path, before: str = "") -> list[str]:
    """A program that starts another one; each writes its number, and sleeps."""
    inner = (
        f"import os, time; print(os.getpid(), file=open({str(marker) + '-inner'!r}, 'w'), flush=True); time.sleep(600)"
    )
    outer = (
        f"import os, signal, subprocess, sys; {before}"
        f"print(os.getpid(), file=open({str(marker)!r}, 'w'), flush=True);"
        f"subprocess.run([sys.executable, '-c', {inner!r}])"
    )
    return [sys.executable, "-c", outer]


@pytest.mark.parametrize("before", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN);"])
def test_a_program_and_what_it_started_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str) -> None:
    monkeypatch.setattr(process, "GRACE_PERIOD", 0.5)
    marker, inner = tmp_path / "pid", tmp_path / "pid-inner"
    worker = Worker(lambda: process.run(sleeper(marker, before)))
    wait_until(lambda: inner.exists() and inner.read_text().endswith("\n"))
    cancel(worker)
    wait_until(lambda: not is_running(int(marker.read_text())) and not is_running(int(inner.read_text())))


def test_a_program_is_not_even_started_afterwards(tmp_path: Path) -> None:
    mine = Operation()
    mine.cancel_scope.cancel()
    with mine.running(), pytest.raises(Cancelled):
        process.run(["touch", tmp_path / "ran"])
    assert not (tmp_path / "ran").exists()


# — the web —


@pytest.mark.parametrize("trouble", ["hang", "mute"])
@pytest.mark.parametrize("what", ["read", "fetch", "unpinned", "model", "concurrent streams"])
def test_a_server_that_says_nothing_more_is_not_waited_for(site: Site, tmp_path: Path, trouble: str, what: str) -> None:
    site.files["/a"], site.trouble["/a"] = bytes(1000), [trouble] * 2
    url = f"{site.url}/a"

    def streams() -> None:
        with make_client() as client:

            def one() -> None:
                with client.stream("GET", url) as response:
                    response.read()

            run_concurrently({"one": one, "two": one})

    asks: dict[str, Callable[[], object]] = {
        "read": lambda: read(url, limit=1 << 20),
        "fetch": lambda: fetch_all([File(url, SHA256, "a")], cache=tmp_path),
        "unpinned": lambda: fetch_unpinned(url, cache=tmp_path, limit=1 << 20),
        "model": lambda: fetch_unknown(url, ModelStore(Paths(tmp_path, tmp_path)), find_hubs()),
        "concurrent streams": streams,
    }
    worker = Worker(asks[what])
    wait_until(site.hanging.is_set)
    cancel(worker)
    left = [p.name for p in tmp_path.rglob("*") if p.is_file()]
    assert len(left) == (what == "model"), "the beginning of a model stays, for the next time"


def test_a_pause_between_two_tries_is_left(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pycomfy.adapters.io.http_client.PAUSE", 600)
    monkeypatch.setattr("pycomfy.adapters.io.http_client.MAX_PAUSE", 600)
    site.trouble["/a"] = [503] * 10
    worker = Worker(lambda: read(f"{site.url}/a", limit=1))
    wait_until(lambda: site.asked)
    cancel(worker)


# — locks —


def test_another_operation_that_holds_a_lock_is_not_waited_for(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    with exclusive_lock(lock, remove=True):
        cancel(Worker(lambda: exclusive_lock(lock).__enter__()))
        assert lock.exists()
    assert not lock.exists()
    with exclusive_lock(lock), lock.open() as f:
        assert not try_lock(f.fileno(), fcntl.LOCK_EX)


def test_a_lock_that_was_removed_while_somebody_waited_is_taken_anew(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    holders: list[None] = []

    def hold() -> None:
        with exclusive_lock(lock, remove=True):
            holders.append(None)
            assert len(holders) == 1, "one at a time"
            holders.pop()

    with exclusive_lock(lock, remove=True):
        workers = [Worker(hold) for _ in range(8)]
    for worker in workers:
        worker.join(50)
    assert [w.outcome for w in workers] == [None] * 8 and not lock.exists()


def test_every_room_leaves_its_lock(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "data", tmp_path / "cache")
    store, archive = ModelStore(paths), find_archive(paths)
    mirror = GitMirror(str(tmp_path), owner="pack", cache=tmp_path / "git")
    versions = VersionsRepository(versions_repository_path(paths))
    (tmp_path / "file").write_text("x")
    with versions.bare.writing():
        pass
    stored = store.add(tmp_path / "file")
    part = store.partial_path(stored.sha256)
    waits: dict[Path, Callable[[], object]] = {
        store.folder / "hashes.lock": lambda: store.hashes.remember(tmp_path / "file", SHA256),
        store.folder / "added.lock": lambda: store.set_name("loras/x", stored),
        archive.folder / ".lock": lambda: archive.lock().__enter__(),
        mirror.mirror.with_suffix(".lock"): lambda: mirror.fetch("0" * 40),
        versions.bare.path.with_suffix(".lock"): lambda: versions.bare.writing().__enter__(),
        part.with_suffix(".lock"): lambda: exclusive_lock(part.with_suffix(".lock")).__enter__(),
    }
    for lock, wait in waits.items():
        with exclusive_lock(lock):
            cancel(Worker(wait))


def test_another_operation_that_writes_the_database_is_not_waited_for(tmp_path: Path) -> None:
    def write() -> None:
        with Connection(tmp_path / "db") as connection, connection.writing():
            pass

    with Connection(tmp_path / "db") as connection:
        with connection.writing():
            cancel(Worker(write))
            waiting = Worker(write)
        waiting.join(50)
        assert waiting.outcome is None and not waiting.is_alive()


def test_a_temporary_folder_is_not_waited_for(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        wait_for_lock(fd, fcntl.LOCK_EX)
        cancel(Worker(lambda: temporary_folder(tmp_path, "x-").__enter__()))
    finally:
        os.close(fd)
    assert list(tmp_path.iterdir()) == []


# — long work —


def test_a_long_loop_ends_at_its_next_progress(tmp_path: Path) -> None:
    def count() -> None:
        with operation.step("Count") as task:
            while True:
                task.advance()

    def hash_() -> None:
        while True:
            hash_path(tmp_path / "file")

    (tmp_path / "file").write_bytes(bytes(1000))
    for work in (count, hash_):
        cancel(Worker(work))


# — Nix and containers —


def test_a_build_of_nix_is_stopped(site: Site, tmp_path: Path) -> None:
    settings = NixSettings()
    try:
        check_store(settings)
    except MissingTool as e:
        pytest.skip(f"no Nix here: {e.what}")
    site.files["/a"], site.trouble["/a"] = bytes(1000), ["hang"]
    project = tmp_path / "default.nix"
    project.write_text(
        f"""
        {{ platform }}: {{ slow = derivation {{
          name = "slow"; system = "builtin"; builder = "builtin:fetchurl"; url = "{site.url}/a";
          outputHashMode = "flat"; outputHashAlgo = "sha256"; outputHash = "{os.urandom(32).hex()}";
        }}; }}
        """
    )
    plan = evaluate(settings, BuildTarget(tmp_path, "slow", "linux/amd64"))
    worker = Worker(lambda: build(settings, plan, tmp_path / "log", lambda event: None))
    wait_until(lambda: worker.outcome or site.hanging.is_set())
    cancel(worker)


def test_a_container_is_stopped_and_removed(engine: Engine, tmp_path: Path) -> None:
    layout = read_layout(write_layout(tmp_path / "layout"))
    image = provide(engine, layout, "pycomfy-test")
    data = tmp_path / "data"
    data.mkdir()
    lines: list[bytes] = []
    spec = ContainerSpec(image, ("echo up; while read ignored; do :; done",), data)
    worker = Worker(lambda: run_container(engine, spec, b"", lines.append))
    try:
        wait_until(lambda: lines or worker.outcome)
        cancel(worker)
        filters = ("--filter", f"ancestor={image.id}")
        assert process.run(engine.command("ps", "--all", "--quiet", *filters)).stdout.strip() == b""
    finally:
        forget(engine, layout, "pycomfy-test")

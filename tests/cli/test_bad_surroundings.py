"""A machine without programs, network, permission or space, and a user who leaves: told, and nothing half-written."""

import contextlib
import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pycomfy.adapters.nix.nar_writer import hash_path
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.nix.store import add_tree, fixed_path, is_valid
from pycomfy.errors import NoSpace
from tests.support.cli_projects import (
    CONFIG,
    PROGRAMS,
    SOURCES,
    Place,
    Surroundings,
    check_refusal,
    is_root,
    programs,
    refused,
)
from tests.support.command_line import Outcome
from tests.support.data_folders import share_downloads
from tests.support.http_server import RequestHandler, serve_http
from tests.support.repositories import commit
from tests.support.small_disks import small_disk
from tests.support.waiting import HANG

# — programs —


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory, surroundings: Surroundings) -> Place:
    """A place with a lock of real Debian packages, which can be built."""
    if shutil.which("nix-build") is None:
        pytest.skip("no Nix here")
    folder = tmp_path_factory.mktemp("real")
    env = {k: v for k, v in surroundings.env.items() if not k.startswith("PYCOMFY_")}
    env |= {k: v for k, v in os.environ.items() if k.startswith(("PYCOMFY_DEBIAN", "SSL_", "HTTP", "NIX_"))}
    env["PATH"] = programs(folder / "bin", [*PROGRAMS, "gpgv"])
    place = Place.new(folder / "place", env).project()
    share_downloads(place.data / "cache")
    outcome = place.run("lock", ".", "--json")
    if outcome.status != 0 and outcome.json()["error"]["code"] in ("unreachable", "bad-config"):
        pytest.skip(f"no Debian archive: {outcome.told}")
    assert outcome.status == 0, outcome.err
    return place.with_small_gateway()


@pytest.mark.parametrize(
    ("missing", "arguments"),
    [("nix", ("build", ".")), ("git", ("lock", ".")), ("podman", ("build", "."))],
    ids=["nix", "git", "engine"],
)
def test_a_missing_program_is_named_with_a_way_to_get_it(
    place: Place, tmp_path: Path, missing: str, arguments: tuple[str, ...]
) -> None:
    if missing == "podman" and shutil.which("nix-build") is None:
        pytest.skip("no Nix here")
    place.project()
    if arguments[0] == "build":
        assert place.run("lock", ".").status == 0
    path = programs(tmp_path / "bin", [p for p in PROGRAMS if not p.startswith(missing)])
    outcome = refused(place, *arguments, code="missing-tool", env={"PATH": path})
    assert f"{missing} is not installed" in outcome.told and "install" in outcome.json()["error"]["fix"]
    assert not (place.data / "projects").exists() and not place.half_written()


def test_a_run_without_an_engine_or_with_one_that_is_none_is_told(real: Place) -> None:
    assert real.run("build", ".", "--no-prove").status == 0
    outcome = refused(real, "run", "work", code="missing-tool")
    assert "podman is not installed" in outcome.told and "install" in outcome.json()["error"]["fix"]
    assert "lxc" in refused(real, "run", "work", "--engine", "lxc", code="bad-config").told


# — network —


class Offline(NamedTuple):
    """How to run a command without a network."""

    prefix: tuple[str, ...]
    env: dict[str, str]


@pytest.fixture(scope="session")
def offline() -> Offline:
    """A network namespace without a network; where none can be made, a proxy that is not there."""
    if shutil.which("unshare") and subprocess.run(["unshare", "-n", "true"], check=False).returncode == 0:
        return Offline(("unshare", "-n", "--"), {})
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{s.getsockname()[1]}"
    return Offline((), {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "ALL_PROXY": proxy, "NO_PROXY": ""})


def test_without_a_network_the_python_index_is_named_and_an_old_lock_stays(place: Place, offline: Offline) -> None:
    place.project()
    place.lock.write_text("{}")
    env = {**offline.env, "UV_DEFAULT_INDEX": "https://index.invalid/simple", "UV_HTTP_RETRIES": "1"}
    outcome = refused(place, "lock", ".", code="unreachable", prefix=offline.prefix, env=env)
    assert "index.invalid" in outcome.json()["error"]["where"] and "network" in outcome.json()["error"]["fix"]
    assert place.lock.read_text() == "{}" and not place.half_written()


def test_without_a_network_the_debian_mirror_is_named(place: Place, offline: Offline) -> None:
    place.project()
    place.write("ComfyUI/requirements.txt", "")
    assert place.run("lock", ".").status == 0, "of this lock, the gateway's packages are kept: no index is asked"
    before = place.lock.read_bytes()
    env = {**offline.env, "PYCOMFY_DEBIAN_MIRROR": "https://debian.invalid/debian"}
    outcome = refused(place, "lock", ".", code="unreachable", prefix=offline.prefix, env=env)
    assert "debian.invalid" in outcome.json()["error"]["where"] and "network" in outcome.json()["error"]["fix"]
    assert place.lock.read_bytes() == before and not place.half_written()


def test_without_a_network_all_git_repositories_are_named(place: Place, offline: Offline) -> None:
    sources = "".join(f'[packs.{name}]\ngit = "https://git.invalid/{name}"\n' for name in ("one", "two"))
    place.project(sources='[comfyui]\npath = "ComfyUI"\n' + sources)
    outcome = refused(place, "lock", ".", code="unreachable", prefix=offline.prefix, env=offline.env)
    assert len(outcome.json()["error"]["problems"]) == 2
    for name in ("one", "two"):
        assert f"https://git.invalid/{name}" in outcome.told
    assert not place.lock.exists() and not place.half_written()


def test_a_build_without_a_network_names_the_file_that_cannot_be_fetched(place: Place) -> None:
    if shutil.which("nix-build") is None:
        pytest.skip("no Nix here")
    place.project()
    assert place.run("lock", ".").status == 0
    lock = place.change_lock()
    pins = lock["platforms"]["linux/amd64"]
    # The gateway's, too: its layer need not be in this machine's store.
    wheels = [*pins["wheels"], *pins["gateway"]]
    for wheel in wheels:
        wheel |= {"url": f"https://index.invalid/{wheel['url'].rsplit('/', 1)[1]}", "sha256": os.urandom(32).hex()}
    place.change_lock(lock)
    outcome = refused(place, "build", ".", "--no-prove", code="unreachable")
    assert any(wheel["url"] in outcome.told for wheel in wheels)
    assert place.run("log").out == "" and not place.half_written()


# — permission —


def test_a_read_only_folder_is_named_and_left_as_it_was(place: Place, tmp_path: Path) -> None:
    place.project()
    folder = place.work / "there"
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        if is_root():
            stack.enter_context(small_disk(folder, "ro"))
        else:
            folder.chmod(0o500)
        outcome = refused(place, "lock", ".", "--output", "there/pycomfy.lock", code="bad-input")
        assert "there" in outcome.json()["error"]["where"] and not list(folder.iterdir())
        outcome = refused(place, "lock", ".", code="bad-input", env={"PYCOMFY_HOME": str(folder / "data")})
        assert str(folder / "data") in outcome.told and not list(folder.iterdir())


# — space —


def check_full(outcome: Outcome) -> None:
    check_refusal(outcome, "no-space")
    assert "MB free" in outcome.told


def test_a_cache_on_a_full_disk_is_told_and_once_there_is_space_all_is_well(place: Place) -> None:
    place.project(config=CONFIG + 'apt = ["big"]\n')
    with small_disk(place.data / "cache", "size=1m") as cache:
        check_full(place.run("lock", ".", "--json"))
        assert not place.lock.exists() and not place.half_written()
        subprocess.run(["mount", "-o", "remount,size=100m", str(cache)], check=True)
        outcome = place.run("lock", ".")
        assert outcome.status == 0 and place.lock.exists(), outcome.err


def test_a_git_repository_that_does_not_fit_on_the_disk_is_told(place: Place) -> None:
    place.project()
    commit(place.work / "card", {"weights.bin": os.urandom(4 << 20)})
    with small_disk(place.data / "cache", "size=2m"):
        check_full(place.run("lock", ".", "--json"))
        assert not place.lock.exists() and not place.half_written()


@pytest.mark.parametrize("inodes", range(3, 11))
def test_a_mirror_that_cannot_begin_on_a_full_disk_is_told(place: Place, inodes: int) -> None:
    place.project()
    with small_disk(place.data / "cache", f"size=1m,nr_inodes={inodes}"):
        check_full(place.run("lock", ".", "--json"))
        assert not place.lock.exists() and not place.half_written()


def test_a_folder_that_does_not_fit_on_the_disk_is_told(place: Place) -> None:
    place.project()
    place.write("ComfyUI/weights.bin", os.urandom(4 << 20))
    with small_disk(place.data / "cache", "size=2m"):
        check_full(place.run("lock", ".", "--json"))
        assert not place.lock.exists() and not place.half_written()


def test_a_full_disk_of_uv_is_told(place: Place) -> None:
    place.project()
    with small_disk(place.root / "uv", "size=4k"):
        check_full(place.run("lock", ".", "--json", env={"UV_CACHE_DIR": str(place.root / "uv")}))
    assert not place.lock.exists() and not place.half_written()


def test_a_lock_that_does_not_fit_on_the_disk_leaves_the_old_one(place: Place) -> None:
    place.project()
    with small_disk(place.work / "there", "size=16k") as folder:
        (folder / "pycomfy.lock").write_text("{}")
        (folder / "other").write_bytes(bytes(8 << 10))
        check_full(place.run("lock", ".", "--json", "--output", "there/pycomfy.lock"))
        assert (folder / "pycomfy.lock").read_text() == "{}" and len(list(folder.iterdir())) == 2
    assert not place.half_written()


def test_a_data_folder_on_a_full_disk_gets_no_half_project(place: Place) -> None:
    if shutil.which("nix-build") is None:
        pytest.skip("no Nix here")
    place.project()
    assert place.run("lock", ".").status == 0
    shutil.rmtree(place.data)
    with small_disk(place.data, "size=64k"):
        check_full(place.run("build", ".", "--no-prove", "--json"))
        assert not list((place.data / "projects").rglob("next")) and not place.half_written()


def test_a_full_nix_store_is_reported_and_has_no_half_path(tmp_path: Path) -> None:
    if shutil.which("nix-store") is None:
        pytest.skip("no Nix here")

    def make(out: Path) -> None:
        out.mkdir()
        (out / "big").write_bytes(bytes(range(256)) * (24 << 12))

    make(tmp_path / "sample")
    tree = hash_path(tmp_path / "sample")
    with small_disk(tmp_path / "store", "size=24m") as store:
        settings = NixSettings(store=store)
        with pytest.raises(NoSpace) as e:
            add_tree(settings, "big", tree, make)
        assert "MB free" in e.value.what and str(store) in e.value.where and "nix-store --gc" in e.value.fix
        assert not is_valid(settings, fixed_path(settings, "big", tree))
        assert not [p for p in (store / "nix" / "store").iterdir() if p.name.endswith("-big")]


# — a user who leaves —


@dataclasses.dataclass
class Silence:
    """A server that takes every request and never answers."""

    url: str
    asked: threading.Event = dataclasses.field(default_factory=threading.Event)


@pytest.fixture
def silence() -> Iterator[Silence]:
    over = threading.Event()

    class Handler(RequestHandler):
        def get(self) -> None:
            found.asked.set()
            over.wait()

    with serve_http(Handler) as address:
        found = Silence(address)
        try:
            yield found
        finally:
            over.set()


INTERRUPTS = pytest.mark.parametrize(
    ("number", "status", "whole_group"),
    [(signal.SIGINT, 130, True), (signal.SIGTERM, 143, False)],
    ids=["ctrl-c", "sigterm"],
)
"""A terminal sends Ctrl-C to all programs in the foreground, `kill` to one."""


def leave(
    place: Place, arguments: tuple[object, ...], number: int, whole_group: bool, ready: threading.Event
) -> Outcome:
    """Start a command, send it a signal when it is `ready`, and wait: whatever the command waits for never comes."""
    process = place.start(*arguments)
    try:
        assert ready.wait(HANG), "it never came that far"
        (os.killpg if whole_group else os.kill)(process.pid, number)
        out, err = process.communicate(timeout=HANG)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return Outcome(process.returncode, out, err)


def ask_uv(place: Place, silence: Silence) -> Place:
    return dataclasses.replace(place, env={**place.env, "UV_DEFAULT_INDEX": f"{silence.url}/simple"})


def ask_debian(place: Place, silence: Silence) -> Place:
    return dataclasses.replace(place, env={**place.env, "PYCOMFY_DEBIAN_MIRROR": silence.url})


def ask_git(place: Place, silence: Silence) -> Place:
    # A user's own rule of git, by which an address leads to the silent server.
    (place.root / "home" / ".gitconfig").write_text(f'[url "{silence.url}/"]\n\tinsteadOf = https://git.invalid/\n')
    place.write("pycomfy.toml", CONFIG + SOURCES.replace('"card"', '"https://git.invalid/card"'))
    return place


@INTERRUPTS
@pytest.mark.parametrize("step", [ask_uv, ask_debian, ask_git])
def test_a_lock_that_is_left_ends_and_leaves_nothing_and_the_next_one_works(
    place: Place,
    silence: Silence,
    step: Callable[[Place, Silence], Place],
    number: int,
    status: int,
    whole_group: bool,
) -> None:
    place.project()
    outcome = leave(step(place, silence), ("lock", "."), number, whole_group, silence.asked)
    assert outcome.status == status, outcome.err
    assert "interrupted" in outcome.err and "Traceback" not in outcome.err
    assert not place.lock.exists() and not place.half_written()
    place.write("pycomfy.toml", CONFIG + SOURCES)
    again = place.run("lock", ".")
    assert again.status == 0, again.err


@INTERRUPTS
def test_a_build_that_is_left_ends_registers_nothing_and_the_next_one_works(
    real: Place, silence: Silence, number: int, status: int, whole_group: bool
) -> None:
    good, before = real.lock.read_text(), real.run("log").out
    lock = real.change_lock()
    wheel = lock["platforms"]["linux/amd64"]["wheels"][0]
    wheel |= {"url": f"{silence.url}/base-2.0-py3-none-any.whl", "sha256": os.urandom(32).hex()}
    real.change_lock(lock)
    outcome = leave(real, ("build", ".", "--no-prove"), number, whole_group, silence.asked)
    real.lock.write_text(good)
    assert outcome.status == status, outcome.err
    assert "interrupted" in outcome.err and "Traceback" not in outcome.err
    assert real.run("log").out == before and not real.half_written()
    again = real.run("build", ".", "--no-prove", "--json")
    assert again.status == 0, again.err
    assert again.json()["version"] == 1

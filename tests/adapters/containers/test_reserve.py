"""ComfyUIs in reserve that outlive who started them, with a real engine, real processes, and the small image that waits
for its order as the gateway does."""

import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.containers.load import forget
from pycomfy.adapters.containers.reserve import DEFAULT_IDLE, MAX_AT_ONCE, About, Reserve, Waiting, read_idle
from pycomfy.adapters.io import process
from pycomfy.errors import BadInput, RunFailed
from tests.adapters.containers.test_spare import SCRIPT
from tests.support.tiny_image import write_layout
from tests.support.waiting import wait_until

NAME = f"pycomfy-reserve-{secrets.token_hex(4)}"


def containers(engine: Engine) -> list[str]:
    """Names of those of this run."""
    done = process.run(engine.command("ps", "--all", "--format", "{{.Names}} {{.Image}}"))
    return [line.split()[0] for line in done.stdout.decode().splitlines() if NAME in line]


@pytest.fixture(scope="module")
def about(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[About]:
    layout = write_layout(tmp_path_factory.mktemp("reserve") / "layout", linked=True, python=SCRIPT)
    yield About("a" * 64, NAME, "the lock", str(layout), engine.kind)
    forget(engine, read_layout(layout), NAME)


@pytest.fixture
def reserve(tmp_path: Path) -> Iterator[Reserve]:
    reserve = Reserve(tmp_path / "data", 120)
    yield reserve
    reserve.end_all()
    shutil.rmtree(reserve.folder, ignore_errors=True)


def start(reserve: Reserve, about: About) -> Waiting:
    reserve.start(about)
    waiting = reserve.find(about.key)
    assert waiting is not None and waiting.about == about
    return waiting


def pid(waiting: Waiting) -> int:
    return int((waiting.folder / "pid").read_text())


def test_it_answers_once_and_is_gone(engine: Engine, reserve: Reserve, about: About, tmp_path: Path) -> None:
    waiting, log, code = start(reserve, about), tmp_path / "cache" / "log", tmp_path / "code"
    code.mkdir()
    (code / "code").write_text("new")
    assert waiting.folder.parent.stat().st_uid == os.getuid()
    assert all(path.stat().st_mode & 0o077 == 0 for path in (waiting.folder, waiting.folder.parents[2]))
    # Two at once: one gets the answer, the other none.
    with ThreadPoolExecutor() as threads:
        asked = [threads.submit(reserve.ask, waiting, {"painter": code}, ["gone"], log) for _ in range(2)]
    (answer,) = [one for future in asked if (one := future.result()) is not None]
    assert answer.types["painter"] == {"python_module": "new"} and answer.types["about"]["removed"] == ["gone"]
    # As every container that is asked for its nodes.
    assert answer.types["about"]["network"] == ["lo"] and not answer.types["about"]["writable"]
    assert answer.log == str(log) and log.read_text() == "started\n"
    assert reserve.list() == [] and reserve.ask(waiting, {}, [], log) is None
    wait_until(lambda: not waiting.folder.exists() and not containers(engine))


def test_one_that_cannot_say_tells_why(reserve: Reserve, about: About, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    with pytest.raises(RunFailed, match="did not start"):
        reserve.ask(start(reserve, about), {"bad": tmp_path / "bad"}, [], tmp_path / "log")


def test_one_whose_process_is_killed_is_found_dead_and_replaced(
    engine: Engine, reserve: Reserve, about: About, tmp_path: Path
) -> None:
    waiting = start(reserve, about)
    wait_until(lambda: bool(containers(engine)))
    os.kill(pid(waiting), signal.SIGKILL)
    wait_until(lambda: reserve.find(about.key) is None)
    assert reserve.ask(waiting, {}, [], tmp_path / "log") is None
    assert start(reserve, about).folder != waiting.folder and not waiting.folder.exists()
    reserve.end_all()
    wait_until(lambda: not containers(engine))


def test_one_whose_container_is_removed_ends(engine: Engine, reserve: Reserve, about: About) -> None:
    waiting = start(reserve, about)
    wait_until(lambda: bool(containers(engine)))
    (name,) = containers(engine)
    process.run(engine.command("rm", "--force", name))
    wait_until(lambda: not waiting.folder.exists())


def test_one_that_nobody_asks_ends(reserve: Reserve, about: About) -> None:
    reserve.idle = 1
    waiting = start(reserve, about)
    wait_until(lambda: not waiting.folder.exists())


def test_there_is_one_for_an_environment_and_few_in_all(reserve: Reserve, about: About) -> None:
    first = start(reserve, about)
    assert start(reserve, about) == first, "it is there already"
    second = start(reserve, replace(about, lock="another lock"))
    assert reserve.list() == [second]
    others = [start(reserve, replace(about, key=f"{number}" * 64)) for number in range(MAX_AT_ONCE)]
    assert reserve.list() == others
    assert reserve.end_all() == MAX_AT_ONCE and reserve.list() == []
    assert not any(one.folder.exists() for one in others)


def test_another_data_folder_has_its_own(reserve: Reserve, about: About, tmp_path: Path) -> None:
    start(reserve, about)
    assert Reserve(tmp_path / "other", 600).list() == []


def test_none_is_started_where_it_is_switched_off(reserve: Reserve, about: About) -> None:
    reserve.idle = 0
    reserve.start(about)
    assert reserve.list() == [] and reserve.end_all() == 0


def test_a_variable_says_for_how_long_and_where_nobody_edits_there_is_none() -> None:
    assert read_idle({}) == read_idle({"CI": ""}) == read_idle({"CI": "false"}) == DEFAULT_IDLE
    assert read_idle({"CI": "true"}) == read_idle({"PYCOMFY_RESERVE": "0"}) == 0
    assert read_idle({"CI": "true", "PYCOMFY_RESERVE": "60"}) == 60
    for text in ("soon", "-1", "nan", "99999999"):
        with pytest.raises(BadInput):
            read_idle({"PYCOMFY_RESERVE": text})


def test_what_lies_there_and_is_none_is_passed_over(reserve: Reserve, about: About) -> None:
    waiting = start(reserve, about)
    (waiting.folder.parent / "mine").mkdir()
    (waiting.folder / "about.json").write_text('{"key": ')
    assert reserve.list() == []
    assert reserve.end_all() == 0 and not waiting.folder.exists()

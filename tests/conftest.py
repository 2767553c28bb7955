"""What holds for every test."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pycomfy
from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.io import http_client
from tests.support import properties
from tests.support.cli_projects import Place, Surroundings, programs
from tests.support.debian_archive import new_archive
from tests.support.engines import engine_or_skip
from tests.support.package_index import serve

# A job in the background of a shell ignores these, and so would all that the tests start and then interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

properties.load_profile()

# Nothing outlives a test, but where the test says so.
os.environ["PYCOMFY_RESERVE"] = "0"

# Servers that fail are asked again here as everywhere, only sooner.
http_client.PAUSE = 0.001


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """For `--dist loadfile`; of the others xdist's own."""
    if config.getoption("dist") != "loadfile":
        return None
    from tests.support.scheduling import LongestFirst  # where there is no xdist, this hook is not called

    return LongestFirst(config, log)


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The real one, or a skip."""
    return engine_or_skip()


@pytest.fixture(scope="session")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    for program in ("dpkg-deb", "gpg", "git"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} here")
    folder = tmp_path_factory.mktemp("surroundings")
    with new_archive(folder) as archive, serve() as index:
        archive.add_base()
        # Hexadecimal digits of what does not repeat: about 2 MB when compressed.
        archive.add("big", files="usr/share/big=" + "".join(f"{n * 7919 % 1000003:x}" for n in range(900_000)))
        archive.publish()
        index.add("base", "1.0")
        index.add("base", "2.0")
        index.add("intelonly", "1.0", tags=["cp311-cp311-manylinux_2_17_x86_64"])
        index.add("oldbase", "1.0", needs=["base<2"])
        index.add("newbase", "1.0", needs=["base>=2"])
        # Without gpgv in PATH, the signature of our own archive is remarked on instead of checked.
        env = {
            "PATH": programs(folder / "bin"),
            "PYTHONPATH": str(Path(pycomfy.__file__).parents[1]),
            "UV_DEFAULT_INDEX": index.url,
            "PYCOMFY_REGISTRY": index.url.removesuffix("/simple"),  # which knows of no node pack
            "PYCOMFY_DEBIAN_MIRROR": archive.folder.as_uri(),
            "PYCOMFY_DEBIAN_SECURITY_MIRROR": archive.folder.as_uri(),
        }
        yield Surroundings(index, archive, env)


@pytest.fixture
def place(tmp_path: Path, surroundings: Surroundings) -> Place:
    """An empty place in these surroundings."""
    return Place.new(tmp_path / "place", surroundings.env)

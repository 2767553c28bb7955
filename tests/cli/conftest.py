"""What a machine has around it, here small and local: a package index, a Debian archive, a PATH."""

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import pycomfy
from tests.support.cli_projects import Place, programs
from tests.support.debian_archive import Archive, new_archive
from tests.support.package_index import Index, serve


@dataclasses.dataclass(frozen=True)
class Surroundings:
    index: Index
    archive: Archive
    env: dict[str, str]


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

"""One Debian root a session, for every test that needs Nix to build."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pycomfy.adapters.debian.packages import read_releases
from pycomfy.adapters.debian.rootfs import make_root, pin_root
from pycomfy.adapters.io.paths import find_paths
from pycomfy.adapters.nix.settings import NixSettings, check_store
from pycomfy.adapters.nix.store import add_tree
from pycomfy.core.lockfile.config import Config
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Root
from pycomfy.errors import NetworkError, PycomfyError
from tests.support.archived_versions import ArchivedVersions, build_and_lose
from tests.support.http_server import serve_folder
from tests.support.nix_projects import Workshop


@pytest.fixture(scope="session")
def settings() -> NixSettings:
    found = NixSettings()
    try:
        check_store(found)
    except PycomfyError as e:
        pytest.skip(f"no Nix here: {e.what}")
    return found


def _root(platform: PlatformName, settings: NixSettings, apt: tuple[str, ...] = ()) -> Root:
    home = find_paths()  # downloads are kept between runs
    try:
        config = Config(apt=apt)
        root = pin_root(config, platform, home, read_releases(config))
    except NetworkError as e:
        pytest.skip(f"Debian's archive cannot be reached: {e.what}")
    name = f"debian-root-{platform.removeprefix('linux/')}"
    add_tree(settings, name, root.tree, lambda out: make_root(root, platform, out, home))
    return root


@pytest.fixture(scope="session")
def root(settings: NixSettings) -> Root:
    return _root("linux/amd64", settings)


@pytest.fixture(scope="session")
def other_root(settings: NixSettings) -> Root:
    """The same with one more package."""
    return _root("linux/amd64", settings, ("hostname",))


@pytest.fixture(scope="session")
def arm_root(settings: NixSettings) -> Root:
    return _root("linux/arm64", settings)


@pytest.fixture
def workshop(tmp_path: Path, settings: NixSettings) -> Iterator[Workshop]:
    with serve_folder(tmp_path) as address:
        yield Workshop(tmp_path, settings, address)


@pytest.fixture(scope="session")
def archived_versions(tmp_path_factory: pytest.TempPathFactory, settings: NixSettings, root: Root) -> ArchivedVersions:
    """Built once; each test has a copy, as `lost`."""
    folder = tmp_path_factory.mktemp("archived")
    with serve_folder(folder) as address:
        return build_and_lose(Workshop(folder, settings, address), root)


@pytest.fixture
def lost(archived_versions: ArchivedVersions, tmp_path: Path) -> Iterator[ArchivedVersions]:
    """Two versions, and nothing that they came from: an empty store, no wheel server, no pack."""
    with archived_versions.copied(tmp_path) as copy:
        yield copy

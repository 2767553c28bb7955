"""One Debian root a session, for every test that needs Nix to build."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pycomfy.adapters.debian.packages import read_releases
from pycomfy.adapters.debian.rootfs import make_root, pin_root
from pycomfy.adapters.io.paths import find_paths
from pycomfy.adapters.nix.settings import NixSettings, check_store
from pycomfy.adapters.nix.store import add_tree, empty_store, fixed_path
from pycomfy.core.lockfile.config import Config
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Root
from pycomfy.errors import NetworkError, PycomfyError
from tests.support.archived_versions import ArchivedVersions, build_and_lose
from tests.support.http_server import serve_folder
from tests.support.nix_projects import Workshop, requisites
from tests.support.nix_stores import StoreTemplate
from tests.support.other_nix import Nix, debian_nix, own_nix


@pytest.fixture(scope="session")
def settings() -> NixSettings:
    found = NixSettings()
    try:
        check_store(found)
    except PycomfyError as e:
        pytest.skip(f"no Nix here: {e.what}")
    return found


@pytest.fixture(scope="session", params=["own", "trixie", "sid"])
def nix(request: pytest.FixtureRequest) -> Nix:
    """The Nix of this machine, that of Debian 13, and that of Debian's sid."""
    if request.param == "own":
        return own_nix()
    try:
        return debian_nix(request.param)
    except PycomfyError as e:
        pytest.skip(f"Debian's Nix cannot be had: {e.what}")


def _root(platform: PlatformName, settings: NixSettings, apt: tuple[str, ...] = ()) -> Root:
    paths = find_paths()  # downloads are kept between runs
    try:
        config = Config(apt=apt)
        root = pin_root(config, platform, paths, read_releases(config))
    except NetworkError as e:
        pytest.skip(f"Debian's archive cannot be reached: {e.what}")
    name = f"debian-root-{platform.removeprefix('linux/')}"
    add_tree(settings, name, root.tree, lambda out: make_root(root, platform, out, paths))
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
    """BuiltVersion once; each test has a copy, as `lost`."""
    folder = tmp_path_factory.mktemp("archived")
    with serve_folder(folder) as address:
        return build_and_lose(Workshop(folder, settings, address), root)


@pytest.fixture(scope="session")
def _root_template(
    tmp_path_factory: pytest.TempPathFactory, settings: NixSettings, archived_versions: ArchivedVersions, root: Root
) -> StoreTemplate:
    layers = requisites(settings, str(archived_versions.versions[0].image.layout))
    made_of_root = [path for path in layers if path.endswith(("-layer-c-root", "-layer-c-venv"))]
    assert len(made_of_root) == 2
    paths = [fixed_path(settings, "debian-root-amd64", root.tree), *made_of_root]
    return StoreTemplate.make(settings, paths, tmp_path_factory.mktemp("template") / "store")


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[NixSettings]:
    """An empty store."""
    with empty_store(tmp_path / "stores") as store:
        yield NixSettings(store=store)


@pytest.fixture
def root_store(tmp_path: Path, _root_template: StoreTemplate) -> Iterator[NixSettings]:
    """A store that has the Debian root and the layers that are made of it: for tests of what else an image has, which
    would be busy with 80 MB otherwise."""
    with _root_template.copied(tmp_path / "stores") as store:
        yield store


@pytest.fixture
def lost(archived_versions: ArchivedVersions, root_store: NixSettings, tmp_path: Path) -> ArchivedVersions:
    """Two versions, and nothing of what is their own: a Nix store with no more than a Debian root, no wheel server, no
    pack."""
    return archived_versions.copied(tmp_path, root_store)

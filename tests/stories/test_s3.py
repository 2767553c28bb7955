"""The archive in a real S3 server (moto's, from the Python index), as a team would have one."""

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from uv import find_uv_bin

from pycomfy.adapters.archive.binary_cache import find_archive
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.lockfile.schema import Root
from pycomfy.services.archive import archive as archive_action
from pycomfy.services.archive import sync
from pycomfy.services.workspace import Workspace
from tests.nix.conftest import root, settings, workshop
from tests.support.archived_versions import make_lock
from tests.support.data_folders import build_and_record, new_paths
from tests.support.nix_projects import Workshop

__all__ = ["root", "settings", "workshop"]

pytestmark = pytest.mark.story

START = 120.0  # seconds: the first time it is fetched


def make_bucket(url: str) -> bool:
    """A bucket that everyone may read and write: a Nix without S3 cannot sign what it asks."""
    request = urllib.request.Request(url, b"", {"x-amz-acl": "public-read-write"}, method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of an S3 server with the bucket `team`."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [
        find_uv_bin(),
        "run",
        "--quiet",
        "--no-project",
        "--with",
        "moto[server]",
        "moto_server",
        "-p",
        str(port),
    ]
    process = subprocess.Popen([*command, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + START
        while not make_bucket(f"{address}/team"):
            if process.poll() is not None or time.monotonic() > until:
                pytest.skip("moto's S3 server cannot be had from the Python index")
            time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait()


def there_and_back(url: str, workshop: Workshop, root: Root, folder: Path) -> None:
    paths = new_paths(folder)
    build_and_record(workshop, make_lock(workshop, root, "in a bucket"), paths)
    pushed = sync.push(Workspace(paths, workshop.settings), url)
    assert pushed.pushed == pushed.paths == len(find_archive(paths).narinfos())
    for path in (*find_archive(paths).narinfos(), *find_archive(paths).nars()):
        path.unlink()
    pulled = sync.pull(Workspace(paths, workshop.settings), url)
    assert (pulled.pulled, pulled.missing) == (pushed.paths, ())
    assert archive_action.verify_archive(Workspace(paths, workshop.settings)).damage == ()


def test_a_bucket_takes_the_archive_and_gives_it_back(
    server: str, workshop: Workshop, root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = subprocess.run(
        NixSettings().command(
            "nix", "--extra-experimental-features", "nix-command", "path-info", "--store", "s3://x", "/nix/store/x"
        ),
        check=False,
        capture_output=True,
        text=True,
    )
    if "don't know how to open" in found.stderr:
        pytest.skip("this Nix was built without S3, as Debian's are")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "team")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "team")
    url = f"s3://team?scheme=http&endpoint={server.removeprefix('http://')}&region=us-east-1"
    there_and_back(url, workshop, root, tmp_path)


def test_a_bucket_can_be_reached_by_http_too(server: str, workshop: Workshop, root: Root, tmp_path: Path) -> None:
    """For a Nix without S3, if whoever runs the server allows it."""
    there_and_back(f"{server}/team", workshop, root, tmp_path)

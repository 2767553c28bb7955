"""Archives of others: push, pull, and what is no archive."""

import itertools
import shutil
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from pycomfy.adapters.archive.binary_cache import find_archive
from pycomfy.adapters.io.concurrency import flatten_errors
from pycomfy.adapters.nix.nar_reader import NarHasher
from pycomfy.adapters.nix.nar_writer import write_nar
from pycomfy.core.nix.lock_outputs import list_requisites
from pycomfy.core.nix.narinfo import narinfo_name
from pycomfy.core.nix.store_path import to_nix32
from pycomfy.errors import BadInput, HashMismatch, NetworkError, PycomfyError
from pycomfy.services.archive import archive as archive_action
from pycomfy.services.archive import sync
from pycomfy.services.archive.restore_image import restore_image
from tests.support.archived_versions import ArchivedVersions
from tests.support.http_server import serve_http
from tests.support.nix_projects import Workshop


def test_another_nix_store_takes_it_all_and_gives_it_back(
    lost: ArchivedVersions, workshop: Workshop, tmp_path: Path
) -> None:
    pushed = sync.push(lost.workspace, f"file://{tmp_path}/team")
    assert pushed.pushed == pushed.paths == len(find_archive(lost.paths).narinfos())
    for url in (f"file://{tmp_path}/team", f"{workshop.address}/team"):
        shutil.rmtree(find_archive(lost.paths).folder)
        pulled = sync.pull(lost.workspace, url)
        assert (pulled.pulled, pulled.missing) == (pushed.paths, ())
        assert archive_action.verify_archive(lost.workspace).damage == ()
    assert restore_image(lost.workspace, lost.request("small@1")).same


def test_a_server_that_is_met_for_the_first_time_gives_all_back(
    lost: ArchivedVersions, workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync.push(lost.workspace, f"file://{tmp_path}/team")
    for attempt in range(3):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / str(attempt)))
        shutil.rmtree(find_archive(lost.paths).folder)
        assert sync.pull(lost.workspace, f"{workshop.address}/team").missing == ()


def test_what_another_nix_store_lacks_is_reported(lost: ArchivedVersions, workshop: Workshop, tmp_path: Path) -> None:
    sync.push(lost.workspace, f"file://{tmp_path}/team")
    need = next(n for n in list_requisites(lost.versions[0].lock) if n.title == "one 1.0")
    (tmp_path / "team" / narinfo_name(need.path)).unlink()
    shutil.rmtree(find_archive(lost.paths).folder)
    for url in (f"file://{tmp_path}/team", f"{workshop.address}/team"):
        (missing,) = sync.pull(lost.workspace, url).missing
        assert missing.path == need.path


@pytest.mark.parametrize("url", ["", "--help", "/tmp/x", "gopher://x", "s3://a b", "file://x\n", "local?root=/tmp"])
def test_what_is_no_url_of_a_nix_store_is_refused(lost: ArchivedVersions, url: str) -> None:
    with pytest.raises(BadInput):
        sync.push(lost.workspace, url)


def test_a_nix_store_that_does_not_answer_is_an_error_of_the_users(lost: ArchivedVersions) -> None:
    shutil.rmtree(find_archive(lost.paths).folder)
    with pytest.raises(PycomfyError) as caught:
        sync.pull(lost.workspace, "http://127.0.0.1:1/team")
    assert "127.0.0.1" in str(caught.value)


@pytest.mark.parametrize(("garbled", "comes_back"), [(2, True), (1000, False)])
def test_an_answer_that_is_no_http_is_not_the_last_word(
    lost: ArchivedVersions, tmp_path: Path, garbled: int, comes_back: bool
) -> None:
    """As of a proxy that is being started. Nix gives up at once."""
    sync.push(lost.workspace, f"file://{tmp_path}/team")
    shutil.rmtree(find_archive(lost.paths).folder)
    answers = itertools.count()

    class Garbling(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.endswith("/nix-cache-info") and next(answers) < garbled:
                self.wfile.write(b"one moment\n")
            else:
                super().do_GET()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  (the base class names it so)
            pass

    with serve_http(partial(Garbling, directory=str(tmp_path))) as address:
        if comes_back:
            assert sync.pull(lost.workspace, f"{address}/team").missing == ()
            return
        with pytest.raises(PycomfyError) as caught:
            sync.pull(lost.workspace, f"{address}/team")
    problem, *_ = flatten_errors(caught.value)
    assert isinstance(problem, NetworkError) and problem.where == f"{address}/team"


def test_a_nix_store_that_lies_is_refused(lost: ArchivedVersions, tmp_path: Path) -> None:
    """Something else under a path's name, with an entry that fits it."""
    team = tmp_path / "team"
    sync.push(lost.workspace, f"file://{team}")
    shutil.rmtree(find_archive(lost.paths).folder)
    need = next(n for n in list_requisites(lost.versions[0].lock) if n.title == "one 1.0")
    entry = team / narinfo_name(need.path)
    text = entry.read_text()
    evil = b"evil"
    hasher = NarHasher()
    place = tmp_path / "evil"
    place.write_bytes(evil)
    write_nar(place, hasher.update)
    with (team / "nar" / "evil.nar").open("wb") as out:
        write_nar(place, out.write)
    digest = hasher.digest()
    told = f"sha256:{to_nix32(digest.sha256)}"
    lines = [
        line if not line.startswith(("URL", "FileHash", "FileSize", "NarHash", "NarSize")) else ""
        for line in text.splitlines()
    ]
    lines += ["URL: nar/evil.nar", f"FileHash: {told}", f"NarHash: {told}"]
    lines += [f"FileSize: {digest.size}", f"NarSize: {digest.size}"]
    entry.write_text("".join(f"{line}\n" for line in lines if line))
    with pytest.raises(HashMismatch):
        sync.pull(lost.workspace, f"file://{team}")
    assert find_archive(lost.paths).find(need.output) is None

"""A wheel from a folder of this machine: built with, archived, and brought back when the folder is gone.

Each run's wheels are new ones: what the Nix store has of an earlier run would not be fetched.
"""

import hashlib
import os
import secrets
import shutil
from pathlib import Path

import pytest

from pycomfy.adapters.archive.binary_cache import find_archive
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.lockfile.schema import Lock, Root, Wheel, render_lock
from pycomfy.core.nix.lock_outputs import package_requisites
from pycomfy.services.archive.restore_image import restore_image
from pycomfy.services.archive.restore_request import RestoreRequest
from pycomfy.services.workspace import Workspace
from tests.support.command_line import Outcome, call
from tests.support.nix_projects import WORKFLOW, Workshop, names_in_buckets
from tests.support.package_index import serve


@pytest.fixture
def local(workshop: Workshop, root: Root) -> Lock:
    """A lock whose one wheel is in a folder beside that of the lock; nobody else has this wheel."""
    wheel = workshop.wheel("mine", {"mine.py": secrets.token_bytes()})
    (workshop.folder / "our wheels").mkdir()
    (workshop.folder / wheel.filename).rename(workshop.folder / "our wheels" / wheel.filename)
    wheel = wheel.model_copy(update={"url": f"../our wheels/{wheel.filename}"})
    return workshop.lock({"linux/amd64": root}, [wheel], [])


def build(workshop: Workshop, lock: Lock, **more: str) -> Outcome:
    folder = workshop.folder / "card"
    folder.mkdir(exist_ok=True)
    (folder / "workflow.json").write_bytes(WORKFLOW)
    (folder / "pycomfy.lock").write_text(render_lock(lock))
    env = {**os.environ, "PYCOMFY_HOME": str(workshop.folder / "home"), "COLUMNS": "300", **more}
    return call("build", folder, "--locked", "--no-prove", "--json", cwd=workshop.folder, env=env)


def test_a_local_wheel_is_built_archived_and_restored_without_its_folder(
    workshop: Workshop, local: Lock, root_store: NixSettings
) -> None:
    done = build(workshop, local)
    assert done.status == 0, done.err
    made = done.json()
    assert "opt/venv/lib/python3.11/site-packages/mine.py" in names_in_buckets(Path(made["oci"]))
    paths = Paths(workshop.folder / "home", workshop.folder / "home" / "cache")
    (need,) = package_requisites(local, "linux/amd64")
    assert find_archive(paths).find(need.output) is not None
    shutil.rmtree(workshop.folder / "our wheels")
    restored = restore_image(Workspace(paths, root_store), RestoreRequest("small", offline=True))
    assert restored.same and read_layout(restored.oci).manifest_digest == made["manifest_digest"]


def test_a_local_wheel_that_is_gone_or_another_is_refused(workshop: Workshop, local: Lock) -> None:
    (wheel,) = local.platforms["linux/amd64"].wheels
    place = workshop.folder / "our wheels" / wheel.filename
    data = place.read_bytes()
    place.write_bytes(data + b"\n")
    done = build(workshop, local)
    assert done.status == 1 and done.json()["error"]["code"] == "hash-mismatch"
    place.unlink()
    done = build(workshop, local)
    assert done.status == 1 and done.json()["error"]["code"] == "not-found"


def test_a_wheel_behind_a_login_needs_no_setting_of_nix(workshop: Workshop, root: Root) -> None:
    with serve("s3cret") as index:
        index.add("guarded", "1.0", files=[("guarded.py", secrets.token_hex())])
        (name, data), *_ = index.contents.items()
        host = index.url.removesuffix("/simple").rpartition("@")[2]
        sha256 = hashlib.sha256(data).hexdigest()
        url = f"http://{host}/files/{name}"
        wheel = Wheel(name="guarded", version="1.0", filename=name, url=url, sha256=sha256, size=len(data))
        lock = workshop.lock({"linux/amd64": root}, [wheel], [])
        done = build(workshop, lock, NETRC=str(workshop.folder / "none"))
        assert done.status == 1 and "401" in done.err
        netrc = workshop.folder / "netrc"
        netrc.write_text("machine 127.0.0.1 login me password s3cret\n")
        netrc.chmod(0o600)
        done = build(workshop, lock, NETRC=str(netrc))
        assert done.status == 0, done.err
        assert "s3cret" not in done.err + done.out


def test_a_damaged_cache_is_not_believed(workshop: Workshop, root: Root) -> None:
    wheel = workshop.wheel("kept", {"kept.py": secrets.token_bytes()})
    place = workshop.folder / "home" / "cache" / "sha256" / wheel.sha256[:2] / wheel.sha256
    place.parent.mkdir(parents=True)
    data = (workshop.folder / wheel.filename).read_bytes()
    place.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    done = build(workshop, workshop.lock({"linux/amd64": root}, [wheel], []))
    assert done.status == 0, done.err
    assert place.read_bytes() == data

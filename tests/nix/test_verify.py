"""BuiltVersion again from the archive in an empty store: equal, or it is told what is not."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.archive.binary_cache import find_archive
from pycomfy.adapters.containers.layout import LayoutImage, read_layout
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.versions.repository import VersionsRepository, versions_repository_path
from pycomfy.core.lockfile.schema import Root
from pycomfy.errors import HashMismatch
from pycomfy.services.archive.verify import VerifyRequest, verify
from pycomfy.services.versions.indexing import layout_link
from pycomfy.services.versions.recorded_version import find_recorded_version, list_built
from pycomfy.services.workspace import Workspace
from tests.support.archived_versions import make_lock
from tests.support.data_folders import BuiltVersion, build_and_record, new_paths
from tests.support.layer_folders import digest_of
from tests.support.nix_projects import Workshop


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return new_paths(tmp_path)


@pytest.fixture
def built(workshop: Workshop, root: Root, paths: Paths) -> BuiltVersion:
    return build_and_record(workshop, make_lock(workshop, root, "to verify"), paths)


def _write(layout: Path, data: bytes) -> tuple[str, int]:
    name = hashlib.sha256(data).hexdigest()
    (layout / "blobs" / "sha256" / name).write_bytes(data)
    return f"sha256:{name}", len(data)


def forge(image: LayoutImage, to: Path, layer: str, old: bytes, new: bytes) -> LayoutImage:
    """The image with other bytes in a file of a layer, all digests fitting."""
    forged = to.parent / "forged-layer"
    at = image.layer_names.index(layer)
    for source, copy in ((image.layout, to), (image.layer(image.layers[at]), forged)):
        shutil.copytree(source, copy, symlinks=True)
        for path in (copy, *copy.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() else 0o644)
    (file,) = (path for path in (forged / "diff").rglob("*") if path.is_file() and old in path.read_bytes())
    file.write_bytes(file.read_bytes().replace(old, new))
    digest, size = digest_of(forged)
    (to / "layers" / digest.removeprefix("sha256:")).symlink_to(forged)
    config: dict[str, Any] = json.loads(image.blob(image.config_digest).read_bytes())
    config["rootfs"]["diff_ids"][at] = digest
    manifest: dict[str, Any] = json.loads(image.blob(image.manifest_digest).read_bytes())
    manifest["layers"][at] |= {"digest": digest, "size": size}
    digest, size = _write(to, json.dumps(config).encode())
    manifest["config"] |= {"digest": digest, "size": size}
    digest, size = _write(to, json.dumps(manifest).encode())
    index: dict[str, Any] = json.loads((to / "index.json").read_bytes())
    index["manifests"][0] |= {"digest": digest, "size": size}
    (to / "index.json").chmod(0o644)
    (to / "index.json").write_text(json.dumps(index))
    return read_layout(to)


def test_the_same_image_comes_from_the_archive_alone(workshop: Workshop, built: BuiltVersion, paths: Paths) -> None:
    for path in workshop.folder.glob("*.whl"):
        path.unlink()
    shutil.rmtree(workshop.folder / "greeter")
    result = verify(Workspace(paths), VerifyRequest("small@1"))
    assert result.differences == () and result.rebuilt == built.image.manifest_digest
    assert (
        list_built(Workspace(paths), "linux/amd64") == ["small@1"] and list_built(Workspace(paths), "linux/arm64") == []
    )


def test_a_difference_is_explained_down_to_the_byte(built: BuiltVersion, paths: Paths, tmp_path: Path) -> None:
    forged = forge(built.image, tmp_path / "forged", "pack-greeter", b"to verify", b"to falsify"[:9])
    layout_link(Workspace(paths), forged.manifest_digest).symlink_to(forged.layout)
    stored = find_recorded_version(Workspace(paths), "small@1")
    lie = stored.images["linux/amd64"].model_copy(
        update={
            "manifest_digest": forged.manifest_digest,
            "config_digest": forged.config_digest,
            "diff_ids": forged.diff_ids,
            "built_at": "2030-01-01T00:00:00Z",
        }
    )
    VersionsRepository(versions_repository_path(paths)).add_image(stored.version.tree, lie)
    for path in paths.data.glob("pycomfy.db*"):  # the database is made anew from the versions repository
        path.unlink()
    result = verify(Workspace(paths), VerifyRequest("small@1"))
    layer, config, manifest = result.differences
    assert layer.what == "layer 7 (pack-greeter)"
    place = "opt/ComfyUI/custom_nodes/greeter/text.txt"
    assert layer.why == (f"{place}: from byte 3 on: {b'falsif'.hex()} → {b'verify'.hex()}",)
    assert (config.what, manifest.what) == ("config", "manifest")
    assert config.why[0].startswith("rootfs.diff_ids[6]: ")
    if shutil.which("diffoscope"):
        assert "+to verify" in layer.report


def test_a_damaged_archive_is_reported_before_anything_is_built(built: BuiltVersion, paths: Paths) -> None:
    entry = find_archive(paths).narinfos()[0]
    entry.write_bytes(b"x")
    with pytest.raises(HashMismatch, match="damaged"):
        verify(Workspace(paths, NixSettings()), VerifyRequest("small@1"))

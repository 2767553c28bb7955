"""Load an image from its OCI layout into the engine, without a registry and only once."""

import contextlib
import io
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.io import process
from pycomfy.adapters.io.atomic_files import says_disk_is_full
from pycomfy.core.sentences import join_lines
from pycomfy.errors import BadInput, HashMismatch, NoSpace, NotFound, RunFailed, suggest
from pycomfy.operation import cancel_scope

_MAX_JSON = 4 << 20
_STORE = Path("/nix/store")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class LayoutImage:
    """The one image of an OCI layout. Digests are `sha256:…`; `size` is that of config and layers, in bytes.
    `layer_names` are ours, from the history: "root", "torch" …"""

    layout: Path
    manifest_digest: str
    config_digest: str
    layers: tuple[str, ...]
    diff_ids: tuple[str, ...]
    platform: str
    size: int
    layer_names: tuple[str, ...] = ()

    def blob(self, digest: str) -> Path:
        """Return the file of a manifest, config or layer."""
        return self.layout / "blobs" / "sha256" / digest.removeprefix("sha256:")


def read_layout(layout: Path) -> LayoutImage:
    """Read an OCI layout. Raises `NotFound` if there is none, `BadInput` unless it has exactly one image.

    Anybody's code may have made it. Its blobs may be links to beside it, as those of Nix are, but to nothing else: the
    engine reads them as this user, and /dev/zero has no end.
    """
    if not (layout / "oci-layout").is_file():
        raise NotFound("no OCI layout", where=str(layout), fix=suggest("build"))
    try:
        _check_links(layout, ["oci-layout", "index.json"])
        manifests = _json(layout / "index.json")["manifests"]
        if len(manifests) != 1:
            raise BadInput(
                f"the layout has {len(manifests)} images instead of one", where=str(layout), fix=suggest("build")
            )
        manifest_digest = _digest(manifests[0]["digest"])
        blobs = layout / "blobs" / "sha256"
        _check_links(blobs, [manifest_digest], layout)
        manifest = _json(blobs / manifest_digest.removeprefix("sha256:"))
        config_digest = _digest(manifest["config"]["digest"])
        _check_links(blobs, [config_digest, *(_digest(entry["digest"]) for entry in manifest["layers"])], layout)
        config = _json(blobs / config_digest.removeprefix("sha256:"))
        return LayoutImage(
            layout,
            manifest_digest,
            config_digest,
            tuple(_digest(entry["digest"]) for entry in manifest["layers"]),
            tuple(_digest(d) for d in config["rootfs"]["diff_ids"]),
            f"{config['os']}/{config['architecture']}",
            sum(int(entry["size"]) for entry in (manifest["config"], *manifest["layers"])),
            tuple(str(h.get("created_by", "")).removeprefix("pycomfy ") for h in config.get("history", ())),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as e:
        raise BadInput(f"the OCI layout cannot be read: {e}", where=str(layout), fix=suggest("build")) from e


def _check_links(folder: Path, names: Iterable[str], layout: Path | None = None) -> None:
    """Raise `ValueError` for a file that is none, or a link to what is neither beside the layout nor in Nix's store.
    One that is missing may not be needed any more."""
    beside = Path(os.path.realpath((layout or folder).parent))
    for name in names:
        path = Path(os.path.realpath(folder / name.removeprefix("sha256:")))
        if not any(path.is_relative_to(allowed) for allowed in (beside, _STORE)):
            raise ValueError(f"{name} is a link to {path}")
        if path.exists() and not path.is_file():
            raise ValueError(f"{name} is not a file")


def load(engine: Engine, image: LayoutImage, name: str) -> str:
    """Load the image under the name `localhost/pycomfy/NAME`, and return its id in the engine. An image that is loaded
    already is not read again. Raises `RunFailed`, or `NoSpace`, if the engine refuses it."""
    tag = image_tag(name)
    found = find_loaded(engine, image)
    if found is None:
        (_pull if engine.kind == "podman" else _load)(engine, image, tag)
        found = find_loaded(engine, image)
        if found is None:
            raise HashMismatch(
                f"{engine.kind} has an image, but not the one with the config {image.config_digest}",
                where=str(image.layout),
                fix=suggest("verify"),
            )
    _check(engine, process.run(engine.command("tag", found, tag)), image)
    if engine.kind == "podman":
        # Podman also names an image by the path it was pulled from.
        process.run(engine.command("untag", found, f"localhost{image.layout.resolve()}"))
    return found


def forget(engine: Engine, image: LayoutImage) -> None:
    """Remove the image from the engine, if it is loaded and unused. Layers of other images stay."""
    found = find_loaded(engine, image)
    if found is not None:
        process.run(engine.command("rmi", found))


def find_loaded(engine: Engine, image: LayoutImage) -> str | None:
    """Return the id of exactly this image in the engine; None if it is not loaded. Docker's containerd store names it
    by the manifest, all others by the config."""
    for digest in (image.config_digest, *([image.manifest_digest] if engine.kind == "docker" else [])):
        identity = digest if engine.kind == "docker" else digest.removeprefix("sha256:")
        if process.run(engine.command("image", "inspect", "--format", "{{.Id}}", identity)).returncode == 0:
            return identity
    return None


def image_tag(name: str) -> str:
    """Return the tag for a workflow's name: a repository has no upper case and no repeated separators."""
    repository = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return f"localhost/pycomfy/{repository or 'workflow'}:latest"


def _pull(engine: Engine, image: LayoutImage, tag: str) -> None:
    path = str(image.layout.resolve())
    if ":" in path:
        raise BadInput("Podman cannot read a layout whose path has a colon", where=path, fix="move it")
    _check(engine, process.run(engine.command("pull", "--quiet", f"oci:{path}")), image)


def _load(engine: Engine, image: LayoutImage, tag: str) -> None:
    with subprocess.Popen(
        engine.command("load", "--quiet"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as loading:
        assert loading.stdin is not None and loading.stderr is not None  # noqa: S101  both are pipes
        try:
            with cancel_scope().on_cancel(loading.kill):
                with contextlib.suppress(BrokenPipeError):  # standard error has the reason
                    write_archive(image, tag, loading.stdin)
                    loading.stdin.close()
                message = loading.stderr.read()
                loading.wait()
        except BaseException:
            loading.kill()
            raise
    _check(engine, subprocess.CompletedProcess(loading.args, loading.returncode, b"", message), image)


def write_archive(image: LayoutImage, tag: str, out: IO[bytes]) -> None:
    """Write a tar that every Docker can load: an OCI layout, with the `manifest.json` of `docker save` for the same
    blobs. Links to blobs are followed. Raises `BadInput` for a blob that is gone."""
    config, *layers = (f"blobs/sha256/{d.removeprefix('sha256:')}" for d in (image.config_digest, *image.layers))
    manifest = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": image.manifest_digest,
        "size": _size(image, image.manifest_digest),
        "annotations": {"io.containerd.image.name": tag, "org.opencontainers.image.ref.name": "latest"},
    }
    texts = {
        "oci-layout": {"imageLayoutVersion": "1.0.0"},
        "index.json": {"schemaVersion": 2, "manifests": [manifest]},
        "manifest.json": [{"Config": config, "RepoTags": [tag], "Layers": layers}],
    }
    with tarfile.open(fileobj=out, mode="w|", bufsize=1 << 20) as tar:
        for name, content in texts.items():
            data = json.dumps(content).encode()
            tar.addfile(_entry(name, len(data)), io.BytesIO(data))
        for digest in dict.fromkeys((image.manifest_digest, image.config_digest, *image.layers)):
            size, path = _size(image, digest), image.blob(digest)
            with path.open("rb") as f:
                tar.addfile(_entry(f"blobs/sha256/{path.name}", size), f)


def _size(image: LayoutImage, digest: str) -> int:
    try:
        return image.blob(digest).stat().st_size
    except OSError as e:
        what = f"the OCI layout has no {digest}: {e.strerror}"
        raise BadInput(what, where=str(image.layout), fix=suggest("build")) from e


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry


def _check(engine: Engine, done: subprocess.CompletedProcess[bytes], image: LayoutImage) -> None:
    if done.returncode == 0:
        return
    message = done.stderr.decode("utf-8", "replace").strip()[-2000:]
    if says_disk_is_full(message):
        raise NoSpace(f"{engine.kind} has no space for the image", details=message, fix=f"`{engine.kind} image prune`")
    what = f"{engine.kind} could not load the image: {join_lines(message)}"
    raise RunFailed(what, where=str(image.layout), fix=f"see `{engine.kind} info`")


def _json(path: Path) -> Any:
    with path.open("rb") as f:
        data = f.read(_MAX_JSON + 1)
    if len(data) > _MAX_JSON:
        raise ValueError(f"{path.name} is too long")
    return json.loads(data)


def _digest(value: object) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise ValueError(f"{value!r} is not a SHA-256 digest")
    return value

"""Get an image that Nix built to where the engine can start it: Podman from where it lies, Docker by its tar."""

import contextlib
import os
import re
import subprocess
from typing import IO

from pycomfy.adapters.containers.engine import USE_OVERLAY, Engine, StartableImage
from pycomfy.adapters.containers.image_store import NotLinkable, link_image, unlink_image
from pycomfy.adapters.containers.layout import LayoutImage
from pycomfy.adapters.io import process
from pycomfy.adapters.io.atomic_files import check_free_space, says_disk_is_full
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.adapters.nix.image_tar import write_image
from pycomfy.core.sentences import join_lines
from pycomfy.errors import HashMismatch, NoSpace, RunFailed, suggest
from pycomfy.operation import cancel_scope

_OVERLAY = f"{USE_OVERLAY}; if podman has images already, `podman system reset` first, which removes them"


def provide(engine: Engine, image: LayoutImage, name: str) -> StartableImage:
    """Let the engine start the image, under the name `localhost/pycomfy/NAME`. Podman starts it from the Nix store; an
    engine that cannot, loads it once. Raises as `load`."""
    if engine.links_images:
        with contextlib.suppress(NotLinkable):
            return StartableImage(image.config_digest.removeprefix("sha256:"), link_image(image, image_tag(name)))
    return StartableImage(load(engine, image, name))


def load(engine: Engine, image: LayoutImage, name: str) -> str:
    """Load the image into the engine's own storage, under the name `localhost/pycomfy/NAME`, and return its id there.
    One that is loaded already is not read again. Raises `RunFailed`, or `NoSpace`, if the engine refuses it, `BadInput`
    if its files are gone or others."""
    tag = image_tag(name)
    found = find_loaded(engine, image)
    if found is None:
        _check_room(engine, image)
        _stream(engine, image, tag)
        found = find_loaded(engine, image)
        if found is None:
            raise HashMismatch(
                f"{engine.kind} has an image, but not the one with the config {image.config_digest}",
                where=str(image.layout),
                fix=suggest("verify"),
            )
    _check(engine, process.run(engine.command("tag", found, tag)), image)
    return found


def forget(engine: Engine, image: LayoutImage, name: str) -> None:
    """Take back what `provide` did, unless the image is in use. Layers of other images stay."""
    if engine.links_images:
        unlink_image(image, image_tag(name))
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


def _check_room(engine: Engine, image: LayoutImage) -> None:
    """Raise `NoSpace` where each layer is kept with a copy of those below it, and the disk has no room for that."""
    if engine.copies_layers_in is not None:
        copies = image.size * (len(image.layers) + 1) // 2
        what = f"the copies that {engine.kind}'s storage driver vfs makes of an image with {len(image.layers)} layers"
        check_free_space(engine.copies_layers_in, copies, what, _OVERLAY)


def _stream(engine: Engine, image: LayoutImage, tag: str) -> None:
    """Let the engine read the image's tar, which is made of the folders meanwhile. Podman copies all of it to the disk
    first, and leaves it there when it is killed: so it has a folder of ours for that."""
    with contextlib.ExitStack() as stack:
        environment = dict(os.environ)
        if engine.copies_images_by is not None:
            environment["TMPDIR"] = str(stack.enter_context(scratch_folder(engine.copies_images_by)))
        loading = stack.enter_context(
            subprocess.Popen(
                engine.command("load", "--quiet"),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environment,
            )
        )
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
    """Write the image as one tar, which engines load. Raises `BadInput` if its files are gone, or others than they
    were."""
    write_image(image.layout, {digest: image.layer(digest) for digest in image.layers}, tag, out)


def _check(engine: Engine, done: subprocess.CompletedProcess[bytes], image: LayoutImage) -> None:
    if done.returncode == 0:
        return
    message = done.stderr.decode("utf-8", "replace").strip()[-2000:]
    if says_disk_is_full(message):
        raise NoSpace(
            f"{engine.kind} has no space for the image",
            details=message,
            fix=(suggest("gc", loaded=True), f"`{engine.kind} image prune`"),
        )
    what = f"{engine.kind} could not load the image: {join_lines(message)}"
    raise RunFailed(what, where=str(image.layout), fix=f"see `{engine.kind} info`")

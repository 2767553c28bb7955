"""Say what a format cannot express, in the same words for every format: noun phrases, for `RenderedFile.lost`."""

from collections.abc import Iterator

from pycomfy.core.interchange.model import (
    ComfyUIRevision,
    FilePack,
    GitPack,
    OtherPack,
    PackEntry,
    RegistryPack,
)


def describe_lost_pack(pack: PackEntry) -> str:
    """Return what is lost with a node pack that a format cannot hold: "the disabled node pack x.py"."""
    match pack:
        case GitPack():
            name, why = pack.url, "it comes from git"
        case RegistryPack():
            name, why = f"{pack.id} {pack.version}", "it has no repository address, only an id of the Comfy registry"
        case FilePack():
            name, why = pack.filename, "it is a single file"
        case OtherPack():
            name, why = pack.name, pack.what
    return f"the node pack {name}: {why}" if pack.enabled else f"the disabled node pack {name}"


def list_lost_of_file(pack: FilePack, *, holds_url: bool = False) -> Iterator[str]:
    """Yield what is lost of a node pack of one file where a format holds its name, and with `holds_url` its URL."""
    if pack.url is not None and not holds_url:
        yield f"the address of {pack.filename}, {pack.url}"
    if pack.sha256 is not None:
        yield f"the hash of {pack.filename}"


def list_lost_of_comfyui(comfyui: ComfyUIRevision | None, *, holds_version: bool = False) -> Iterator[str]:
    """Yield what is lost of ComfyUI where a format holds a revision of its own repository, and with `holds_version` a
    version in place of it."""
    if comfyui is None:
        return
    if comfyui.revision is None and comfyui.version is not None and holds_version:
        yield f"ComfyUI's source: only its version, {comfyui.version}, is given"
    elif comfyui.revision is None:
        yield f"ComfyUI{f' {comfyui.version}' if comfyui.version else ''}, which is not pinned by a commit"
        return
    if comfyui.url is not None:
        yield f"ComfyUI's repository, {comfyui.url}"

"""Keep which images were built of a version's tree: a ref per tree and platform, to a small JSON file.

A tree's images are the same wherever the tree is: in a branch, a tag, after a revert. A ref each, and not git's notes,
so that two machines that built different versions need no merge when they share.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pycomfy import operation
from pycomfy.adapters.versions.git import REPAIR, ZERO, BareRepository
from pycomfy.errors import BadInput

if TYPE_CHECKING:
    from pycomfy.core.lockfile.platforms import PlatformName
    from pycomfy.core.versions.built_image import BuiltImage

PREFIX = "refs/images"
_MANY = 50  # trees, for which it is quicker to list all refs


def add_image(bare: BareRepository, tree: str, image: "BuiltImage") -> "BuiltImage":
    """Keep `image` as the tree's for its platform; return the one that is kept. One that is there already stays, unless
    the new one has other digests, or says more of it."""
    from pycomfy.adapters.versions.commits import open_writer
    from pycomfy.core.versions.built_image import render_image

    ref = _ref(tree, image.platform)
    with bare.writing():
        old = bare.refs(ref).get(ref)
        if old is not None:
            before = read_images(bare, [tree]).get(tree, {}).get(image.platform)
            if before and before.manifest_digest == image.manifest_digest and not _tells_more(image, before):
                return before
        with open_writer(bare) as writer:
            blob = writer.write_blob(render_image(image))
        bare.update_refs((ref, blob, old or ZERO))
    return image


def _tells_more(image: "BuiltImage", before: "BuiltImage") -> bool:
    if (image.checked_at or "") != (before.checked_at or ""):
        return (image.checked_at or "") > (before.checked_at or "")
    proven = (image.proven and not before.proven) or (image.compatible and not before.compatible)
    return bool(proven or (image.requirements and not before.requirements))


def select_images(refs: Iterable[str]) -> set[tuple[str, str]]:
    """Return tree and platform of every image among all refs."""
    return {_key(ref) for ref in refs if ref.startswith(f"{PREFIX}/")}


def read_images(bare: BareRepository, trees: Collection[str]) -> "dict[str, dict[PlatformName, BuiltImage]]":
    """Return the images of trees, by tree and platform. Images that cannot be read are reported, and left out."""
    where = [f"{PREFIX}/{tree}" for tree in trees] if len(trees) < _MANY else [PREFIX]
    refs = {ref: blob for ref, blob in bare.refs(*where).items() if _key(ref)[0] in trees} if where else {}
    if not refs:
        return {}
    # Imported where there is an image to read: listing versions is quicker without.
    from pycomfy.core.versions.built_image import parse_image

    blobs = bare.read_blobs(list(refs.values()))
    found: dict[str, dict[PlatformName, BuiltImage]] = {}
    for ref, blob in refs.items():
        tree, platform = _key(ref)
        try:
            image = parse_image(blobs.get(blob, b""), where=ref)
        except BadInput:
            if blob in blobs:  # as another program, or a newer pycomfy, wrote it
                continue
            what = f"the description of an image for {platform} (tree {tree[:12]}) cannot be read"
            operation.report(f"warning: {what}", REPAIR)
            continue
        if platform == image.platform:
            found.setdefault(tree, {})[image.platform] = image
    return found


def restore_images(bare: BareRepository, known: "Mapping[tuple[str, str], Sequence[BuiltImage]]") -> list[str]:
    """Write the images that are missing or cannot be read, of those that are `known`, by tree and platform: the one
    that was there, else the last. Return what was done, a line each. For a caller that is writing."""
    from pycomfy.adapters.versions.commits import object_id, open_writer
    from pycomfy.core.versions.built_image import render_image

    refs, done = bare.refs(PREFIX), []
    whole = bare.read_blobs(list(refs.values()))
    with open_writer(bare) as writer:
        for (tree, platform), images in known.items():
            ref = _ref(tree, platform)
            old = refs.get(ref)
            if old in whole:
                continue
            texts = [render_image(image) for image in images]
            text = next((t for t in texts if object_id(b"blob", t) == old), texts[-1])
            blob = writer.write_blob(text)
            if blob != old:
                bare.update_refs((ref, blob, old or ZERO))
            done.append(f"wrote what the database knows of the image {images[-1].manifest_digest[:19]}")
    return done


def drop_images(bare: BareRepository, keep: set[str]) -> None:
    """Forget the images of trees that are not in `keep`. For a caller that is writing."""
    gone = [(r, ZERO, o) for r, o in bare.refs(PREFIX).items() if r.split("/")[2] not in keep]
    if gone:
        bare.update_refs(*gone)


def _key(ref: str) -> tuple[str, str]:
    tree, _, architecture = ref.removeprefix(f"{PREFIX}/").partition("/")
    return tree, f"linux/{architecture}"


def _ref(tree: str, platform: str) -> str:
    return f"{PREFIX}/{tree}/{platform.partition('/')[2]}"

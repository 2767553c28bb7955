"""Whether the images that were built are still in the Nix store, and stay there."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from pycomfy.adapters.nix.inspection import list_auto_roots
from pycomfy.errors import suggest
from pycomfy.services.doctor.examination import Examination
from pycomfy.services.doctor.findings import Finding
from pycomfy.services.doctor.subjects import IMAGES


def check_images(examination: Examination) -> Iterator[Finding]:
    """Look at where the links to images lead."""
    folder = examination.workspace.paths.data / "images"
    links = sorted(p for p in folder.glob("*") if p.is_symlink()) if folder.is_dir() else []
    roots = list_auto_roots(examination.workspace.nix) if links else None
    yield judge_images(links, {link for link in links if not link.exists()}, roots)


def judge_images(links: Sequence[Path], gone: Collection[Path], roots: Collection[Path] | None) -> Finding:
    """Judge the links to images. `gone` are those to images that the Nix store has no more. `roots` are the links that
    Nix's garbage collector respects, None if it does not show them; a data folder that was moved has none."""
    kept = [link for link in links if link not in gone]
    loose = [link for link in kept if roots is not None and link not in roots]
    facts = {"images": len(links), "gone": len(gone), "unprotected": None if roots is None else len(loose)}
    images = f"{len(links)} {'image' if len(links) == 1 else 'images'}"
    if loose:
        what = f"{len(loose)} of {images} will be lost when Nix collects garbage"
        details = "Nix does not know the links that protect them: the data folder was moved or copied."
        fix = suggest("restore", "makes its link known again; nothing is built that is there")
        return IMAGES.warning(what, details=details, fix=fix, facts=facts)
    if gone:
        what = f"{len(gone)} of {images} not in the Nix store any more; versions and sources are not affected"
        return IMAGES.note(what, fix=suggest("restore", "builds one again"), facts=facts)
    return IMAGES.ok(f"{images} in the Nix store" if links else "none yet", facts=facts)

"""Read every byte of an archive, and name the files that were changed, shortened or lost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pycomfy.adapters.archive.binary_cache import Archive
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.nix.nar_reader import NarDigest, read_digest
from pycomfy.core.nix.narinfo import MAX_NARINFO_BYTES, NarInfo, nar_name
from pycomfy.operation import cancel_scope

JOBS = 4


@dataclass(frozen=True)
class Damage:
    """`file` is relative to the archive, `path` the store path that it belongs to ("" if that is unknown)."""

    file: str
    path: str
    what: str


def check_archive(archive: Archive, advance: Callable[[int], object]) -> list[Damage]:
    """Return all damage, in the order of file names. Every NAR is read, and compared with what its store path promises.
    Calls `advance` with the number of bytes that were read."""

    def step(amount: int) -> None:
        cancel_scope().check()
        advance(amount)

    jobs = {f"nar/{path.name}": partial(read_digest, path, step) for path in archive.nars()}
    digests = run_concurrently(jobs, at_once=JOBS)
    damage = [d for path in archive.narinfos() if (d := check_entry(path, digests)) is not None]
    named = {d.file for d in damage}
    damage += [
        Damage(nar, "", "it was changed, and nothing refers to it")
        for nar, digest in digests.items()
        if nar != nar_name(digest.sha256) and nar not in named
    ]
    info = archive.folder / "nix-cache-info"
    if (digests or archive.narinfos()) and not archive.has_info:
        damage.append(Damage(info.name, "", "it is missing" if not info.is_file() else "it was changed"))
    return damage


def check_entry(narinfo: Path, digests: Mapping[str, NarDigest]) -> Damage | None:
    """Return what is wrong with an entry, None if it is whole. `digests` are those of all NARs, by path below the
    archive."""
    with narinfo.open("rb") as f:
        data = f.read(MAX_NARINFO_BYTES + 1)
    fields = dict(line.partition(": ")[::2] for line in data.decode("ascii", "replace").splitlines())
    path, nar = fields.get("StorePath", ""), fields.get("URL", "")
    digest = digests.get(nar)
    if digest is None:
        return Damage(narinfo.name, path, f"its NAR is missing: {nar[:100]!r}")
    if nar_name(digest.sha256) != nar:
        return Damage(nar, path, f"it was changed: SHA-256 {digest.sha256.hex()}")
    try:
        output = digest.find_output(path)
    except ValueError:
        output = None
    if output is None or (info := NarInfo(output, digest.sha256, digest.size)).render() != data:
        return Damage(narinfo.name, path, "it was changed")
    return None if info.file_name == narinfo.name else Damage(narinfo.name, path, "it belongs to another path")

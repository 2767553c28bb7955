"""Write a folder as a tar, the same for the same files."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

TOP = "tree"
"""The name of the folder in the tar."""


def pack_tree(folder: Path, limit: int) -> bytes | None:
    """Return the files, links and folders in `folder` as a tar; None if it would have more than about `limit` bytes. Of
    modes it has whether a file is executable, and no times or owners: what a Nix store keeps of a tree."""
    paths = list(_walk(folder))
    if sum(path.lstat().st_size for path in paths) > limit:
        return None
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8") as tar:
        for path in paths:
            entry = tar.gettarinfo(path, f"{TOP}/{path.relative_to(folder)}")
            entry.type = tarfile.REGTYPE if entry.islnk() else entry.type  # files of a store may be linked
            entry.size = path.stat().st_size if entry.isreg() else 0
            entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
            entry.mtime = entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            if entry.isreg():
                with path.open("rb") as f:
                    tar.addfile(entry, f)
            else:
                tar.addfile(entry)
    return data.getvalue()


def _walk(folder: Path) -> Iterator[Path]:
    """Yield all that is below `folder`, sorted by name in each folder; folders before what they hold."""
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)

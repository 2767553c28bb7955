"""Make patches in git's format from two sets of files, and apply them to a folder, by git in a repository of our own.

The folder's own git configuration is not read: no filters, no attributes, no hooks.
"""

import hashlib
import os
import re
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pycomfy.adapters.git.runner import GitResult, GitRunner
from pycomfy.adapters.io.atomic_files import find_escaping_link, translate_disk_full
from pycomfy.core.sources.git import MAX_PATCH
from pycomfy.errors import BadInput, NotFound, UnpinnedPack

# For `info/attributes`, which takes precedence over every `.gitattributes`: bytes stay as they are.
_PLAIN = "* -text -eol -ident -filter -working-tree-encoding\n"


class PatchRepository:
    """A bare repository of our own in the empty folder `folder`, which can also read the objects in `alternates`.

    git reads this repository's configuration, which is empty, and no other. With alternates nothing may be written: for
    an object that exists already, git sets the time of its pack, even in an alternate.
    """

    def __init__(self, folder: Path, alternates: Sequence[Path] = ()) -> None:
        self.folder = folder
        self._runner = GitRunner(folder, isolated=True)
        self.must("init", "--quiet", "--bare", "--template=", str(folder))
        (folder / "info").mkdir(exist_ok=True)
        (folder / "info" / "attributes").write_text(_PLAIN)
        self.add_alternates(alternates)

    def add_alternates(self, folders: Sequence[Path]) -> None:
        """Read objects in these folders, too."""
        with (self.folder / "objects" / "info" / "alternates").open("ab") as f:
            f.write(b"".join(os.fsencode(path) + b"\n" for path in folders))

    def git(self, *arguments: str, tree: Path | None = None, index: str | None = None, stdin: bytes = b"") -> GitResult:
        """Run a git command; with `tree` that folder is the working tree."""
        environment = {} if tree is None else {"GIT_WORK_TREE": str(tree)}
        if index is not None:
            environment["GIT_INDEX_FILE"] = str(self.folder / index)
        return self._runner.run(*arguments, cwd=tree or self.folder.parent, environment=environment, stdin=stdin)

    def must(self, *arguments: str, index: str | None = None, stdin: bytes = b"") -> bytes:
        """Return the output of a command that cannot fail unless git itself does not work. Raises `BadInput`."""
        environment = None if index is None else {"GIT_INDEX_FILE": str(self.folder / index)}
        return self._runner.must(*arguments, environment=environment, stdin=stdin)

    def add_blob(self, data: bytes) -> str:
        """Add a file's content to the objects, as git would; return the object's hash."""
        whole = b"blob %d\0" % len(data) + data
        object_ = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
        path = self.folder / "objects" / object_[:2] / object_[2:]
        if not path.exists():
            with translate_disk_full(path):
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(zlib.compress(whole, 1))
        return object_

    def make_tree(self, files: Mapping[str, tuple[str, str]], index: str) -> str:
        """Write a tree of (mode, object) by path; return its hash. Raises `BadInput` for paths that git refuses."""
        lines = b"".join(
            f"{mode} {object_}\t".encode() + os.fsencode(p) + b"\0" for p, (mode, object_) in files.items()
        )
        self.must("read-tree", "--empty", index=index)
        self.must("update-index", "--add", "-z", "--index-info", index=index, stdin=lines)
        return self.must("write-tree", index=index).decode().strip()

    def make_patch(self, old: str, new: str) -> str | None:
        """Return the patch from one tree to another, as text; None if it is too large."""
        files = self._diff(old, new)
        if not all(map(_is_text, files)):
            # Text in another encoding is treated as binary, which a patch encodes in ASCII.
            attributes = self.folder / "info" / "attributes"
            attributes.write_text(_PLAIN + "* -diff\n")
            pairs = zip(files, self._diff(old, new), strict=True)
            attributes.write_text(_PLAIN)
            files = [text if _is_text(text) else binary for text, binary in pairs]
        text = b"".join(files).decode()
        return text if len(text) <= MAX_PATCH else None

    def _diff(self, old: str, new: str) -> list[bytes]:
        """Return a patch for each file."""
        data = self.must("diff-tree", *_AS_PATCH, old, new)
        return [part for part in re.split(rb"^(?=diff --git )", data, flags=re.MULTILINE) if part]

    def applies(self, patch: str, old: str, new: str) -> bool:
        """Return whether the patch turns `old` into `new`."""
        self.must("read-tree", old, index="proof")
        status, _, _ = self.git("apply", "--cached", *_EXACTLY, "-", index="proof", stdin=patch.encode())
        return status == 0 and self.must("write-tree", index="proof").decode().strip() == new


_AS_PATCH = ("-r", "-p", "--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color")
_EXACTLY = ("--binary", "--whitespace=nowarn", "-p1")


def list_paths(patch: str) -> tuple[str, ...]:
    """Return the files that a patch changes, as far as its headers have them unquoted."""
    return tuple(dict.fromkeys(re.findall(r"^diff --git a/.* b/(.*)$", patch, flags=re.MULTILINE)))


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def read_patch(path: Path, owner: str) -> str:
    """Return the text of a patch. Raises `NotFound`, `BadInput`."""
    try:
        if path.stat().st_size > MAX_PATCH or not path.is_file():
            raise BadInput(
                f"{owner}: a patch is a file of at most {MAX_PATCH >> 20} MiB",
                where=str(path),
                fix="name the changed folder instead: path = …",
            )
        text = path.read_bytes().decode()
    except OSError as e:
        what = f"{owner}: the patch cannot be read: {e.strerror}"
        raise NotFound(what, where=str(path), fix="correct patch = …") from e
    except UnicodeDecodeError as e:
        raise BadInput(
            f"{owner}: the patch is not UTF-8",
            where=str(path),
            fix="make it by `git diff --binary`, with `* -diff` in .git/info/attributes for files in other encodings",
        ) from e
    if not text.strip():
        raise BadInput(f"{owner}: the patch is empty", where=str(path), fix="leave out patch = …")
    return text


def apply_patch(patch: str, folder: Path, owner: str) -> None:
    """Apply a patch to the files in `folder`. Raises `UnpinnedPack` if it is for other files, or writes outside the
    folder."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".patch-") as temporary:
        repository = PatchRepository(Path(temporary, "git"))
        status, _, message = repository.git("apply", *_EXACTLY, "-", tree=folder, stdin=patch.encode())
    if status != 0:
        lines = [line.removeprefix("error: ") for line in message.splitlines() if line.startswith("error: ")]
        raise UnpinnedPack(
            f"{owner}: the patch does not apply to the commit: {'; '.join(lines[:5]) or message[-300:]}",
            where="pycomfy.toml",
            fix="correct rev = … or patch = …: a patch belongs to one commit",
        )
    link = find_escaping_link(folder)
    if link is not None:
        raise UnpinnedPack(
            f"{owner}: with the patch, the link {link.relative_to(folder)} points outside the tree",
            where="pycomfy.toml",
            fix="leave that link out of the patch",
        )

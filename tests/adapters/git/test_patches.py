import os
import subprocess
from pathlib import Path

import pytest

from pycomfy.adapters.git.patches import PatchRepository, apply_patch, read_patch
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix import nar_writer
from pycomfy.adapters.sources.pin import pin_source, write_tree_of
from pycomfy.core.lockfile.config import parse_config
from pycomfy.core.sources.git import MAX_PATCH, GitSource
from pycomfy.errors import BadInput, NotFound, UnpinnedPack
from tests.support.repositories import commit, git

FILES = {"__init__.py": "a = 1\nb = 2\n", "crlf.txt": "one\r\ntwo\r\n", "gone.py": "x\n"}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "home", tmp_path / "home" / "cache")


def changed(folder: Path) -> str:
    """A repository's patch after a few changes: of text, with a file gone, a binary one and a program new."""
    commit(folder, FILES)
    (folder / "__init__.py").write_text("a = 1\nb = 3\n")
    (folder / "gone.py").unlink()
    (folder / "new").mkdir()
    (folder / "new" / "picture.bin").write_bytes(bytes(range(256)))
    (folder / "new" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "new" / "run.sh").chmod(0o755)
    (folder / "new" / "link").symlink_to("run.sh")
    git(folder, "add", "--all")
    return git(folder, "diff", "--cached", "--binary", "--full-index") + "\n"


def test_a_patched_commit_is_pinned_and_placed_as_the_changed_folder_is(tmp_path: Path, paths: Paths) -> None:
    folder = tmp_path / "pack"
    (tmp_path / "patches").mkdir()
    (tmp_path / "patches" / "x.patch").write_text(changed(folder))
    spec = parse_config('[packs.x]\ngit = "pack"\nrev = "main"\npatch = "patches/x.patch"\n').packs["x"]
    pinned = pin_source(spec, tmp_path, "x", paths)
    assert isinstance(pinned.source, GitSource) and pinned.source.patch is not None and pinned.date is not None
    assert pinned.files["__init__.py"] == "a = 1\nb = 3\n" and "gone.py" not in pinned.files
    (tmp_path / "patches" / "x.patch").unlink()  # the lock has it
    write_tree_of(pinned.source, tmp_path, tmp_path / "out", paths)
    assert nar_writer.hash_path(tmp_path / "out") == pinned.source.tree
    assert (tmp_path / "out" / "crlf.txt").read_bytes() == b"one\r\ntwo\r\n"
    assert os.access(tmp_path / "out" / "new" / "run.sh", os.X_OK)
    assert (tmp_path / "out" / "new" / "link").readlink() == Path("run.sh")
    subprocess.run(["rm", "-r", str(folder / ".git")], check=True)
    assert nar_writer.hash_path(folder) == pinned.source.tree


def test_a_source_without_a_patch_does_not_mention_it() -> None:
    source = GitSource(url="https://h/x", commit="0" * 40, tree="sha256-" + "A" * 43 + "=")
    assert "patch" not in source.model_dump(mode="json") and "patch" not in source.model_dump_json()
    assert GitSource.model_validate_json(source.model_copy(update={"patch": "x"}).model_dump_json()).patch == "x"


def new(path: str, line: str, mode: str = "100644") -> str:
    """A patch that makes a file or link."""
    end = "" if mode == "100644" else "\\ No newline at end of file\n"
    head = f"diff --git a/{path} b/{path}\nnew file mode {mode}\n"
    return f"{head}--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+{line}\n{end}"


@pytest.mark.parametrize(
    "patch",
    [
        "--- a/../out.txt\n+++ b/../out.txt\n@@ -0,0 +1 @@\n+x\n",
        new(".git/config", "x"),
        "--- /dev/null\n+++ b//tmp/pycomfy-out\n@@ -0,0 +1 @@\n+x\n",
        "--- a/other.py\n+++ b/other.py\n@@ -1 +1 @@\n-x\n+y\n",
        "no patch at all",
        new("l", "/etc/passwd", "120000"),
        new("l", "..", "120000") + new("l/x", "x"),
    ],
)
def test_a_patch_that_does_not_fit_or_leads_out_is_refused(tmp_path: Path, patch: str) -> None:
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "__init__.py").write_text("a = 1\n")
    with pytest.raises(UnpinnedPack):
        apply_patch(patch, folder, "x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tree"]
    assert not Path("/tmp/pycomfy-out").exists()


def test_a_patch_file_is_bounded_text(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="cannot be read"):
        read_patch(tmp_path / "gone", "x")
    path = tmp_path / "x.patch"
    for content in (b"", b"\xff", b"x" * (MAX_PATCH + 1)):
        path.write_bytes(content)
        with pytest.raises(BadInput):
            read_patch(path, "x")


def test_attributes_of_the_folder_start_no_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "gitconfig"
    config.write_text(f'[filter "evil"]\n clean = touch {tmp_path}/ran\n smudge = touch {tmp_path}/ran\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / ".gitattributes").write_text("* filter=evil text eol=crlf\n")
    (folder / "a.txt").write_text("one\n")
    apply_patch("--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-one\n+two\n", folder, "x")
    assert (folder / "a.txt").read_bytes() == b"two\n" and not (tmp_path / "ran").exists()


def test_text_in_another_encoding_is_patched_too(tmp_path: Path) -> None:
    repository = PatchRepository(tmp_path / "git")
    old, new = (
        repository.must("hash-object", "-w", "--stdin", stdin=data).decode().strip()
        for data in (b"caf\xe9\n", b"th\xe9\n")
    )
    trees = [repository.make_tree({"a.txt": ("100644", object_)}, "index") for object_ in (old, new)]
    patch = repository.make_patch(*trees)
    assert patch is not None and patch.isascii() and repository.applies(patch, *trees)

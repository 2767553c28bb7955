"""Node packs that mean harm: each is refused by its name and by what is wrong, nothing is written, and no code runs."""

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.cli_projects import CARD, Place, Surroundings, refused
from tests.support.command_line import Outcome
from tests.support.repositories import commit, git

PACK = "tricky"


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that is there only if code of a pack has run."""
    return tmp_path / "canary"


@pytest.fixture
def tricky(place: Place) -> Place:
    """A place whose workflow needs a node of the pack `tricky`, which each test makes."""
    return place.project(sources=f'[comfyui]\npath = "ComfyUI"\n[packs.{PACK}]\ngit = "{PACK}"\n')


def pack(place: Place, files: Mapping[str, str | bytes | None] | None = None) -> Path:
    folder = place.work / PACK
    commit(folder, {"__init__.py": CARD, **(files or {})})
    return folder


def refuse(place: Place, *words: str, code: str = "unresolved") -> Outcome:
    """The lock must fail, and its error have the pack's name and `words`."""
    outcome = refused(place, "lock", ".", code=code)
    told = json.dumps(outcome.json()["error"], ensure_ascii=False)
    for word in (PACK, *words):
        assert word in told, told
    assert not place.lock.exists() and not place.half_written()
    return outcome


def object_of(folder: Path, kind: str, data: bytes) -> str:
    """An object that git itself would not make."""
    command = ["git", "hash-object", "-w", "-t", kind, "--literally", "--stdin"]
    return subprocess.run(command, cwd=folder, input=data, check=True, capture_output=True).stdout.decode().strip()


def entry(mode: str, name: str | bytes, object_: str) -> bytes:
    return mode.encode() + b" " + (name if isinstance(name, bytes) else name.encode()) + b"\0" + bytes.fromhex(object_)


def commit_tree(folder: Path, tree: str) -> None:
    git(folder, "update-ref", "refs/heads/main", git(folder, "commit-tree", tree, "-m", "x"))


# — Python —


def test_requirements_that_reach_out_are_refused_by_their_line(tricky: Place, canary: Path) -> None:
    setup = f"import pathlib; pathlib.Path({str(canary)!r}).touch()\n"
    lines = [
        "--index-url https://elsewhere.example.org/simple",
        "-i https://elsewhere.example.org/simple",
        "--extra-index-url=https://elsewhere.example.org/simple",
        "--find-links https://elsewhere.example.org/wheels",
        "--trusted-host elsewhere.example.org",
        "-e .",
        "./vendored",
        "-r ../../../etc/passwd",
    ]
    pack(tricky, {"requirements.txt": "base\n" + "\n".join(lines), "setup.py": setup, "install.py": setup})
    outcome = refuse(tricky)
    told = [problem["message"] + problem["where"] for problem in outcome.json()["error"]["problems"]]
    for number, line in enumerate(lines, start=2):
        (problem,) = [p for p in told if f"requirements.txt line {number}" in p]
        assert PACK in problem and line.split()[0].split("=")[0] in problem
    assert not canary.exists()


def test_a_wheel_tree_with_a_path_that_climbs_is_refused(place: Place, surroundings: Surroundings) -> None:
    files = [("nodes/__init__.py", CARD), ("nodes/../../climbs.py", "")]
    surroundings.index.add("climbing", "1.0", files=files)
    sources = f'[comfyui]\npath = "ComfyUI"\n[packs.{PACK}]\nwheel = "climbing==1.0"\nfolder = "nodes"\n'
    place.project(sources=sources)
    refuse(place, "nodes/../../climbs.py", code="bad-input")


# — the files of a commit —


def test_a_link_out_of_the_tree_is_refused(tricky: Place) -> None:
    folder = tricky.work / PACK
    folder.mkdir()
    (folder / "weights").symlink_to("../../../../../../etc")
    pack(tricky)
    refuse(tricky, "the link weights points outside the tree")


@pytest.mark.parametrize(
    "name",
    [".GIT", "..", "a\nb\x1b[2J"],
    ids=["git", "dots", "control"],
)
def test_a_file_with_a_name_that_tricks_is_refused(tricky: Place, name: str) -> None:
    folder = pack(tricky)
    blob = object_of(folder, "blob", b"x")
    source = object_of(folder, "blob", CARD.encode())
    inner = object_of(folder, "tree", entry("100644", "config", blob))
    for mode, object_ in (("100644", blob), ("40000", inner)):
        commit_tree(
            folder, object_of(folder, "tree", entry("100644", "__init__.py", source) + entry(mode, name, object_))
        )
        outcome = refuse(tricky, "it has a file named")
        assert "\x1b[2J" not in outcome.err


def test_a_file_that_is_a_link_to_a_folder_as_well_is_refused(tricky: Place, canary: Path) -> None:
    folder = pack(tricky)
    blob = object_of(folder, "blob", b"x")
    link = object_of(folder, "blob", str(canary.parent).encode())
    inner = object_of(folder, "tree", entry("100644", canary.name, blob))
    commit_tree(folder, object_of(folder, "tree", entry("120000", "a", link) + entry("40000", "a", inner)))
    refuse(tricky, "a/canary is in a folder that is a file or link as well")
    assert not canary.exists()


def test_a_tree_that_explodes_is_refused_before_it_does(tricky: Place) -> None:
    """Ten folders in ten folders in …: a few kilobytes, and ten thousand million files."""
    folder = pack(tricky)
    inner = object_of(folder, "blob", b"x")
    mode = "100644"
    for _ in range(10):
        inner = object_of(folder, "tree", b"".join(entry(mode, str(n), inner) for n in range(10)))
        mode = "40000"
    commit_tree(folder, inner)
    refuse(tricky, "more than 100000 files")


def test_a_tree_without_a_bottom_is_refused(tricky: Place) -> None:
    folder = pack(tricky)
    inner, mode = object_of(folder, "blob", b"x"), "100644"
    for _ in range(300):
        inner = object_of(folder, "tree", entry(mode, "d", inner))
        mode = "40000"
    commit_tree(folder, inner)
    refuse(tricky, "nested folders")


def test_names_that_only_other_systems_mind_are_let_through(tricky: Place) -> None:
    """Images are Linux's: there these are plain names, and real packs have them."""
    pack(tricky, {"Nodes.txt": "1", "nodes.txt": "2", "CON": "", "aux.txt": "", "a:b": "", "ü": ""})
    outcome = tricky.run("lock", ".")
    assert outcome.status == 0, outcome.err


# — submodules —


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc",
        "-u./run.sh",
        "ext::sh -c touch% CANARY",
        "ssh://-oProxyCommand=touch$IFS./x/y",
        "../../../../../../../../etc",
    ],
)
def test_a_submodule_with_a_hostile_address_is_refused(tricky: Place, canary: Path, url: str) -> None:
    folder = pack(tricky)
    inner = commit(tricky.work / "inner", {"run.sh": f"#!/bin/sh\ntouch {canary}\n"})
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{inner},sub")
    url = url.replace("CANARY", str(canary))
    (folder / ".gitmodules").write_text(f'[submodule "sub"]\n\tpath = sub\n\turl = "{url}"\n')
    git(folder, "add", ".gitmodules")
    git(folder, "commit", "--quiet", "--message", "submodule")
    codes = {"unresolved", "bad-config"} if "etc" not in url else {"unresolved", "not-found"}
    outcome = tricky.run("lock", ".", "--json")
    error = outcome.json()["error"]
    assert outcome.status == 1 and error["code"] in codes, outcome.err
    assert PACK in json.dumps(error) and ("sub" in json.dumps(error)) and error["fix"], error
    assert not tricky.lock.exists() and not canary.exists()


def made_by_hand(name: str) -> Callable[[Path, str], None]:
    def make(folder: Path, inner: str) -> None:
        modules = object_of(folder, "blob", f'[submodule "x"]\npath = {name}\nurl = ./inner\n'.encode())
        climbing = entry("160000", name, inner)
        commit_tree(folder, object_of(folder, "tree", entry("100644", ".gitmodules", modules) + climbing))

    return make


@pytest.mark.parametrize("name", ["../outside", ".git"])
def test_a_submodule_that_climbs_out_of_the_tree_is_refused(tricky: Place, name: str) -> None:
    folder = pack(tricky)
    made_by_hand(name)(folder, commit(tricky.work / "inner", {"a.py": ""}))
    refuse(tricky, "it has a file named")


def test_a_gitmodules_that_includes_or_runs_things_does_nothing(tricky: Place, canary: Path) -> None:
    folder = pack(tricky)
    inner = commit(tricky.work / "inner", {"a.py": "x = 1\n"})
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{inner},sub")
    (folder / ".gitmodules").write_text(
        f'[submodule "../../.git/hooks"]\n\tpath = sub\n\turl = ../inner\n\tupdate = "!touch {canary}"\n'
        f'[core]\n\tsshCommand = "touch {canary}"\n\tfsmonitor = "touch {canary}"\n[include]\n\tpath = {canary}\n'
        f'[alias]\n\tls-tree = "!touch {canary}"\n[filter "x"]\n\tsmudge = "touch {canary}"\n'
    )
    git(folder, "add", ".gitmodules")
    git(folder, "commit", "--quiet", "--message", "submodule")
    outcome = tricky.run("lock", ".")
    assert outcome.status == 0, outcome.err
    assert not canary.exists()


# — code —


def test_hooks_and_settings_of_a_repository_run_nothing(tricky: Place, canary: Path) -> None:
    folder = pack(
        tricky, {".gitattributes": "* filter=evil diff=evil\n", "conftest.py": f"open({str(canary)!r}, 'w')\n"}
    )
    script = tricky.write("evil.sh", f"#!/bin/sh\ntouch {canary}\ncat\n")
    script.chmod(0o755)
    hooks = folder / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    names = ("post-checkout", "post-merge", "pre-receive", "reference-transaction", "post-index-change", "fsmonitor")
    for name in (*names, "post-upload-pack", "pre-auto-gc", "proc-receive", "query-watchman"):
        (hooks / name).symlink_to(script)
    settings = {
        "core.hooksPath": str(hooks),
        "core.fsmonitor": str(script),
        "core.sshCommand": str(script),
        "core.pager": str(script),
        "core.alternateRefsCommand": str(script),
        "uploadpack.packObjectsHook": str(script),
        "filter.evil.smudge": str(script),
        "filter.evil.process": str(script),
        "diff.evil.textconv": str(script),
        "diff.external": str(script),
        "credential.helper": f"!{script}",
        "remote.origin.uploadpack": str(script),
    }
    for key, value in settings.items():
        git(folder, "config", key, value)
    outcome = tricky.run("lock", ".")
    assert outcome.status == 0, outcome.err
    assert not canary.exists()


def test_code_of_a_pack_is_read_and_never_run(tricky: Place, canary: Path) -> None:
    touch = f"import pathlib; pathlib.Path({str(canary)!r}).touch()\n"
    names = (
        "install.py",
        "setup.py",
        "prestartup_script.py",
        "sitecustomize.py",
        "usercustomize.py",
        "uv.py",
        "git.py",
    )
    pack(tricky, {"__init__.py": touch + CARD, **dict.fromkeys(names, touch), "uv.toml": "[pip]\nindex-url = 'x'\n"})
    outcome = tricky.run("lock", ".")
    assert outcome.status == 0, outcome.err
    assert not canary.exists()

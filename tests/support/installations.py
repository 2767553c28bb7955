"""Installations of ComfyUI made for tests: with git remotes, packs of every kind, and an environment."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.support.repositories import commit, git

COMFYUI = {
    "main.py": "raise SystemExit('nobody may start this')\n",
    "nodes.py": "class Save: pass\nclass Note: pass\nNODE_CLASS_MAPPINGS = {'SaveImage': Save}\n",
    "comfyui_version.py": '__version__ = "0.3.75"\n',
    "requirements.txt": "base>=1\n",
    ".gitignore": "__pycache__/\n/output/\n/input/\n/models/\n/temp/\n/custom_nodes/\n/user/\nvenv/\n.venv/\n*.log\n",
    "custom_nodes/websocket_image_save.py": "NODE_CLASS_MAPPINGS = {}\n",
}
CARD = "class Card: pass\nNODE_CLASS_MAPPINGS = {'HelloCard': Card}\n"


def publish(folder: Path, files: Mapping[str, str | bytes | None]) -> tuple[Path, str]:
    """A bare repository beside the others, and its commit."""
    made = commit(folder.with_name(folder.name + ".work"), files)
    git(folder.parent, "clone", "--quiet", "--bare", f"{folder.name}.work", str(folder))
    return folder, made


def clone(upstream: Path, folder: Path) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    git(folder.parent, "clone", "--quiet", upstream.as_uri(), str(folder))
    return folder


def make_installation(folder: Path) -> Path:
    """A ComfyUI at a commit of its remote, as it was published, without packs."""
    upstream, _ = publish(folder / "upstream" / "ComfyUI", COMFYUI)
    return clone(upstream, folder / "ComfyUI")


def add_package(site: Path, name: str, version: str, *, tag: str = "py3-none-any", direct_url: object = None) -> None:
    """What an installer leaves behind of a package."""
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nIt is good.\n")
    (info / "WHEEL").write_text(f"Wheel-Version: 1.0\nTag: {tag}\n")
    (info / "RECORD").write_text("")
    if direct_url is not None:
        (info / "direct_url.json").write_text(json.dumps(direct_url))


def make_venv(folder: Path, version: str = "3.11.9") -> Path:
    """A virtual environment without anything that could run; its site-packages."""
    site = folder / "lib" / f"python{'.'.join(version.split('.')[:2])}" / "site-packages"
    site.mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n")
    (folder / "bin").mkdir()
    (folder / "bin" / "python").write_text('#!/bin/sh\ntouch "$0.ran"\n')
    (folder / "bin" / "python").chmod(0o755)
    return site


def booby_trap(repository: Path, proof: Path) -> None:
    """Let a repository's configuration, hooks and attributes start a program wherever git would let them."""
    program = proof.with_name("trap.sh")
    program.write_text(f'#!/bin/sh\necho "$0 $*" >> {proof}\ncat\n')
    program.chmod(0o755)
    own = repository / ".git"
    settings = {
        "core.fsmonitor": program,
        "core.sshCommand": program,
        "core.gitProxy": program,
        "core.pager": program,
        "core.editor": program,
        "core.alternateRefsCommand": program,
        "core.hooksPath": own / "hooks",
        "diff.external": program,
        "diff.evil.command": program,
        "diff.evil.textconv": program,
        "filter.evil.clean": program,
        "filter.evil.smudge": program,
        "filter.evil.process": program,
        "gpg.program": program,
        "log.showSignature": "true",
        "alias.ls-tree": f"!{program}",
        "alias.cat-file": f"!{program}",
        "uploadpack.packObjectsHook": program,
        "remote.origin.uploadpack": program,
        "remote.origin.vcs": "ext",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "credential.helper": f"!{program}",
        "trace2.eventTarget": proof,
        "include.path": own / "more",
    }
    with (own / "config").open("a") as f:
        for key, value in settings.items():
            section, _, name = key.rpartition(".")
            head, _, sub = section.partition(".")
            f.write(f'[{head} "{sub}"]\n' if sub else f"[{head}]\n")
            f.write(f'\t{name} = "{value}"\n')
    (own / "more").write_text(f'[core]\n\tfsmonitor = "{program}"\n')
    (own / "hooks").mkdir(exist_ok=True)
    for hook in ("post-checkout", "post-index-change", "pre-auto-gc", "fsmonitor-watchman", "reference-transaction"):
        shutil.copy(program, own / "hooks" / hook)
    (own / "info").mkdir(exist_ok=True)
    (own / "info" / "attributes").write_text("* filter=evil diff=evil\n")
    (repository / ".gitattributes").write_text("* filter=evil diff=evil\n")


def listing(folder: Path) -> dict[str, tuple[int, ...]]:
    """Everything below a folder with all that a change would change; the time of reading is none."""
    found: dict[str, tuple[int, ...]] = {}
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files, "."):
            path = Path(parent, name)
            about = path.lstat()
            fields = (about.st_mode, about.st_ino, about.st_nlink, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
            found[str(path)] = (*fields, about.st_uid)
    return found

"""The files of a project: pycomfy.toml, pycomfy.lock, and those of other tools that become one."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pycomfy.cli.terminal import print_line
from pycomfy.core.interchange.from_lock import environment_from_lock
from pycomfy.core.lockfile.config import config_fingerprint, parse_config
from pycomfy.core.lockfile.fingerprint import environment_fingerprint
from pycomfy.core.lockfile.schema import parse_lock, render_lock
from pycomfy.core.nix.lock_outputs import list_requisites
from pycomfy.core.versions.diff import diff
from pycomfy.core.versions.diff_text import describe_diff, summarise
from pycomfy.core.versions.snapshot import read_snapshot
from pycomfy.services.lock_request import LockRequest, list_unknown_sections, read_config, read_lock, read_own_config
from tests.core.lockfile.test_schema import lock
from tests.fuzz.formats import JSON, TOML
from tests.fuzz.printing import print_harmlessly
from tests.fuzz.target import Target
from tests.support.graphs import plain
from tests.support.service_projects import make_files, make_lock

ROOT = Path(__file__).parents[3]
WORKFLOW = json.dumps(plain()).encode()

CONFIG = b"""
name = "x"
python = "3.11"
as-of = 2025-12-05T18:30:00+02:00
platforms = ["linux/amd64"]
accelerator = "cu128"
requirements = ["requests>=2,<3; python_version < '4'"]
overrides = ["numpy==1.26"]
apt = ["ffmpeg"]
prefer = ["https://github.com/a/b"]

[comfyui]
git = "https://github.com/a/ComfyUI"
rev = "v0.3.75"

[packs.a]
git = "packs/a"
rev = "main"
requirements = ["segno"]
[packs.b]
path = "../b"
[packs.c]
url = "https://example.org/c.py"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"

[[index]]
name = "own"
url = "https://user:word@x.test/simple"
packages = ["a"]

[[models]]
folder = "checkpoints"
name = "a.safetensors"
url = "https://x.test/a.safetensors"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"

[wheels]
prefer = ["torch"]
[wheels.numpy]
compiler = true
requires = ["cython"]
[families]
opencv = "opencv-python-headless"
[debian]
snapshot = 2025-12-05T18:30:00Z
[accept]
editor-only = ["Note"]
lost-values = ["3.seed", "3[1]"]
[image]
compiler = true
[editor]
use = "never"

[inputs]
seed = "3.seed"
"""

SEVERAL = b"""
python = "3.11"
find-links = ["https://x.test/links", "wheels"]
[packs.a]
git = "https://github.com/a/b"
[inputs]
seed = "3.seed"
[workflows.workflow]
name = "one"
requirements = ["segno"]
inputs = { steps = "3.steps" }
[workflows.workflow.packs.a]
rev = "main"
[workflows.workflow.packs.b]
path = "../b"
[[workflows.workflow.models]]
folder = "checkpoints"
name = "a.safetensors"
path = "a.safetensors"
[workflows.two]
as-of = 2025-12-05T18:30:00Z
accept.editor-only = ["Note"]
"""


def config_seeds() -> Sequence[bytes]:
    return [CONFIG, SEVERAL, (ROOT / "examples/hello/pycomfy.toml").read_bytes(), b""]


def run_config(data: bytes, folder: Path) -> None:
    """The file beside two workflows, and what is kept of it with the version of one."""
    for name in ("workflow.json", "two.json"):
        (folder / name).write_bytes(WORKFLOW)
    (folder / "pycomfy.toml").write_bytes(data)
    request = LockRequest(folder / "workflow.json")
    for remark in list_unknown_sections(request):
        print_harmlessly(partial(print_line, remark))
    _, config = read_config(request)
    own = (read_own_config(request) or b"").decode("utf-8-sig")
    assert config_fingerprint(parse_config(own)) == config_fingerprint(config), "what is kept says something else"


def lock_seeds() -> Sequence[bytes]:
    return [render_lock(lock()).encode(), render_lock(make_lock("x", b"{}")).encode()]


def run_lock(data: bytes, folder: Path) -> None:
    """What reads, compares, exports and builds a lock."""
    (folder / "pycomfy.lock").write_bytes(data)
    read = read_lock(folder / "pycomfy.lock")
    rendered = render_lock(read)
    assert render_lock(parse_lock(rendered)) == rendered, "a lock is read as it was written"
    list_requisites(read)
    environment_from_lock(read)
    for platform in read.platforms:
        environment_fingerprint(read, platform, {})
    files = make_files("x")
    snapshots = [
        read_snapshot("x@1", {**files, "pycomfy.lock": text.encode()}, {})
        for text in (rendered, files["pycomfy.lock"].decode())
    ]
    for one, other in ((0, 1), (1, 0)):
        found = diff(snapshots[one], snapshots[other])
        describe_diff(found)
        summarise(found)


TARGETS = (
    Target("config", run_config, config_seeds, TOML),
    Target("lock", run_lock, lock_seeds, JSON),
)

"""The source of node packs and packages: read, never run."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pycomfy.adapters.catalog.node_type_cache import read_comfyui, read_model_inputs, read_pack, read_shapes
from pycomfy.adapters.git.patches import apply_patch, read_patch
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.python.pep517 import build_requires, read_pyproject
from pycomfy.adapters.python.wheel_contents import read_files, read_modules
from pycomfy.adapters.sources.wheel_tree import WheelTreeAdapter
from pycomfy.core.analysis.browser_code import has_browser_code
from pycomfy.core.analysis.findings import describe_effects, describe_uses
from pycomfy.core.debian.elf import read_dynamic
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.core.python.requirements import parse_requirements
from pycomfy.core.python.wheel_clashes import settle_clashes
from pycomfy.core.sources.wheel_tree import WheelTreeSource
from tests.fuzz.formats import JSON, LINES, TAR, TOML, ZIP, pack_tar, pack_zip
from tests.fuzz.target import Target
from tests.support.elf_files import make_elf

PACK = """
import os, subprocess, sys
from folder_paths import get_filename_list, models_dir as md
try:
    import cv2, torch.nn as nn
except ImportError:
    subprocess.check_call([sys.executable, "-m", "pip", "install", "opencv-python"])
from .nodes import *
NAMES = [f"n{i}" for i in ("a", "b")] + ["c"] * 2

class Base:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"ckpt": (get_filename_list("checkpoints"),), "n": ("INT", {"default": 1, "min": 0})}}
    RETURN_TYPES = ("IMAGE", "MASK")
    FUNCTION = "go"

    def go(self, ckpt, n):
        os.system("ffmpeg -i x")
        return torch.compile(ckpt) if n else torch.hub.load("a/b", "c")

NODE_CLASS_MAPPINGS = {"Base": Base, **{name: Base for name in NAMES}}
NODE_CLASS_MAPPINGS.update(dict(zip(["d"], [Base])))
for name in NAMES:
    NODE_CLASS_MAPPINGS[name + "-x"] = type(name, (Base,), {"RETURN_TYPES": ("INT",)})
"""


def _texts(data: bytes) -> Mapping[str, str]:
    """Return the files of an input, which is an object of texts."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {"__init__.py": data.decode("utf-8", "replace")}
    pairs = value.items() if isinstance(value, dict) else ()
    return {name: text for name, text in pairs if isinstance(text, str)}


def pack_seeds() -> Sequence[bytes]:
    nodes = {"nodes.py": 'class N: pass\nNODE_CLASS_MAPPINGS = {"N": N}\nWEB_DIRECTORY = "./web"\n'}
    return [json.dumps({"__init__.py": PACK, **nodes, "web/a.js": "x", "pyproject.toml": "[tool.comfy]\n"}).encode()]


def run_pack(data: bytes, folder: Path) -> None:
    files = _texts(data)
    reading = read_pack(files, folder / "cache")
    read_comfyui(files, folder / "cache")
    read_shapes(files, ["Base", "N"], folder / "cache")
    read_model_inputs(files, ["Base", "N"], folder / "cache")
    has_browser_code(files)
    describe_effects({"a": reading.scan}, {"a": [["python", "install.py"]]})
    describe_uses({"a": reading.scan}, ["ffmpeg"], ["torch"])


def run_python(data: bytes, folder: Path) -> None:
    run_pack(json.dumps({"__init__.py": data.decode("utf-8", "surrogateescape")}).encode(), folder)


REQUIREMENTS = b"""# comment
-r more.txt
requests[socks]>=2.0,<3 ; python_version < "3.12"  # why
torch==2.9.0+cu128 --hash=sha256:0000
git+https://github.com/a/b@main#egg=b&subdirectory=x
numpy==1.* \\
  ; sys_platform == 'linux'
"""
PYPROJECT = b"""[build-system]
requires = ["setuptools>=40", "wheel"]
build-backend = "setuptools.build_meta"
[project]
name = "x"
dependencies = ["a>=1", "b; python_version<'3'"]
"""


def run_requirements(data: bytes, folder: Path) -> None:
    text = data.decode("utf-8", "replace")
    parse_requirements("pack a", {"requirements.txt": text, "more.txt": text})


def run_pyproject(data: bytes, folder: Path) -> None:
    text = data.decode("utf-8", "replace")
    build_requires(text, "x")
    parse_requirements("pack a", {"pyproject.toml": text})


def run_sdist(data: bytes, folder: Path) -> None:
    (folder / "x-1.tar.gz").write_bytes(data)
    build_requires(read_pyproject(folder / "x-1.tar.gz", None, "x"), "x")


def sdist_tar_seeds() -> Sequence[bytes]:
    return [pack_tar([["x-1/pyproject.toml", PYPROJECT, 0o644, b"0", ""], ["x-1/a", b"a", 0o644, b"2", "../../b"]])]


def wheel_seeds() -> Sequence[bytes]:
    entry_points = b"[console_scripts]\nx = x:main\n"
    return [
        pack_zip(
            [
                ["x/__init__.py", b"", 0, 0],
                ["x/y.py", b"import z", 0o755 << 16, 8],
                ["x-1.0.data/scripts/run", b"#!python\n", 0, 8],
                ["x-1.0.dist-info/entry_points.txt", entry_points, 0, 8],
                ["x-1.0.dist-info/RECORD", b"", 0, 0],
            ]
        )
    ]


def run_wheel(data: bytes, folder: Path) -> None:
    """A wheel whose modules and files are listed, and of which a folder is unpacked."""
    name, sha256 = "x-1.0-py3-none-any.whl", "0" * 64
    kept = folder / "cache" / "sha256" / "00" / sha256
    kept.parent.mkdir(parents=True)
    kept.write_bytes(data)
    paths = Paths(folder, folder / "cache")
    wheel = Wheel(name="x", version="1.0", filename=name, url=f"https://x.test/{name}", sha256=sha256, size=len(data))
    read_modules([wheel], paths)
    files = {key: found for key, found in read_files([wheel], paths).items() if found is not None}
    settle_clashes({**files, "y": files.get("x", ())}, ["y"])
    source = WheelTreeSource(url=wheel.url, sha256=sha256, name=name, size=len(data), folder="x", exclude=())
    (folder / "out").mkdir()
    WheelTreeAdapter().unpack(source, kept, folder / "out")


PATCH = b"""diff --git a/a.txt b/a.txt
--- a/a.txt
+++ b/a.txt
@@ -1 +1 @@
-one
+two
diff --git a/l b/l
new file mode 120000
--- /dev/null
+++ b/l
@@ -0,0 +1 @@
+a.txt
\\ No newline at end of file
"""


def run_patch(data: bytes, folder: Path) -> None:
    (folder / "x.patch").write_bytes(data)
    tree = folder / "tree"
    tree.mkdir()
    (tree / "a.txt").write_text("one\n")
    apply_patch(read_patch(folder / "x.patch", "x"), tree, "x")
    outside = {path.name for path in folder.iterdir()} - {"x.patch", "tree"}
    assert not outside, f"written outside the tree: {outside}"


def run_elf(data: bytes, folder: Path) -> None:
    read_dynamic(data)


TARGETS = (
    Target("pack", run_pack, pack_seeds, JSON),
    Target("python", run_python, lambda: [PACK.encode()], LINES),
    Target("requirements", run_requirements, lambda: [REQUIREMENTS], LINES),
    Target("pyproject", run_pyproject, lambda: [PYPROJECT], TOML),
    Target("sdist-tar", run_sdist, sdist_tar_seeds, TAR),
    Target("sdist-zip", run_sdist, lambda: [pack_zip([["x-1/pyproject.toml", PYPROJECT, 0, 8]])], ZIP),
    Target("wheel", run_wheel, wheel_seeds, ZIP),
    Target("patch", run_patch, lambda: [PATCH], LINES),
    Target("elf", run_elf, lambda: [make_elf(["libc.so.6"], "libx.so", "x")]),
)

"""The files of other tools that `import` makes a project of."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pycomfy.adapters.io.paths import Paths
from pycomfy.core.interchange.format import RenderTarget
from pycomfy.core.interchange.model import (
    ApiInput,
    ComfyUIRevision,
    EnvironmentSpec,
    FilePack,
    GitPack,
    ModelEntry,
    Package,
    RegistryPack,
)
from pycomfy.core.interchange.registry import FORMATS, load_format
from pycomfy.core.lockfile.config import parse_config
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.services.interchange.capture import CaptureRequest, capture
from pycomfy.services.interchange.import_foreign import ForeignImportRequest, import_foreign
from pycomfy.services.workspace import Workspace
from tests.core.interchange.test_examples import SNAPSHOT
from tests.fuzz.formats import JSON, TOML, YAML, ZIP, Format, pack_zip
from tests.fuzz.printing import print_result
from tests.fuzz.target import Target, write_below
from tests.support.installations import CARD, COMFYUI

SHA256 = "5" * 64

ENVIRONMENT = EnvironmentSpec(
    name="x",
    comfyui=ComfyUIRevision("a" * 40),
    packs=(
        GitPack("https://github.com/ann/ComfyUI-Pack", "b" * 40, "ComfyUI-Pack", True),
        RegistryPack("pack-c", "1.0.1", "pack-c", True),
        FilePack("x.py", "https://example.org/x.py", SHA256, True),
    ),
    python="3.11",
    packages=(
        Package(
            "numpy",
            "1.26.4",
            files=(
                Wheel(
                    name="numpy",
                    version="1.26.4",
                    filename="numpy-1.26.4-py3-none-any.whl",
                    url="https://example.org/numpy-1.26.4-py3-none-any.whl",
                    sha256=SHA256,
                    size=7,
                ),
            ),
        ),
        Package("clip", "1.0", url=f"git+https://github.com/openai/CLIP.git@{'c' * 40}"),
    ),
    models=(ModelEntry("checkpoints/a.safetensors", SHA256, ("https://example.org/a.safetensors",)),),
    inputs=(ApiInput(name="seed", node="3", input="seed", type="integer", title="Seed", default=7),),
    workflow=b'{"nodes": [{"id": 1, "type": "KSampler", "inputs": [], "outputs": []}], "links": []}',
    prompt=b'{"1": {"class_type": "KSampler", "inputs": {"seed": 1}}}',
    platforms=("linux/amd64",),
)


def _seeds(name: str) -> Sequence[bytes]:
    """What pycomfy itself writes in that format, and where it is one of the Manager's, what that wrote."""
    format_ = load_format(name)
    content = format_.render(ENVIRONMENT, RenderTarget("label", format_.filename)).content
    data = content if isinstance(content, bytes) else pack_zip([[path, text, 0, 0] for path, text in content.items()])
    return [data, JSON.encode(SNAPSHOT)] if name == "manager-snapshot" else [data]


def _form(name: str) -> Format:
    format_ = load_format(name)
    if format_.zip_layout is not None:
        return ZIP
    return (
        TOML if format_.filename.endswith(".toml") else YAML if format_.filename.endswith((".yaml", ".yml")) else JSON
    )


def run(data: bytes, folder: Path) -> None:
    """The file is recognised by what is in it; what is made of it is a project, or nothing."""
    file, made = folder / "file.json", folder / "made"
    file.write_bytes(data)
    try:
        print_result(import_foreign(ForeignImportRequest(file, made)))
        parse_config((made / "pycomfy.toml").read_text())
    finally:
        assert {path.name for path in folder.iterdir()} <= {"file.json", "made"}, "nothing is left beside it"


def capture_seeds() -> Sequence[bytes]:
    site = "venv/lib/python3.11/site-packages"
    metadata = "Metadata-Version: 2.1\nName: numpy\nVersion: 1.26.4\n\nIt is good.\n"
    files = {
        **COMFYUI,
        "extra_model_paths.yaml": "x:\n  base_path: models2\n  checkpoints: ck\n",
        "custom_nodes/a/__init__.py": CARD,
        "custom_nodes/a/pyproject.toml": '[project]\nname = "a"\nversion = "1.0"\n[tool.comfy]\nPublisherId = "m"\n',
        "custom_nodes/a/.tracking": "__init__.py\npyproject.toml\n",
        "custom_nodes/b.py": CARD,
        "custom_nodes/b/.git/HEAD": "ref: refs/heads/main\n",
        "custom_nodes/b/.git/config": '[remote "origin"]\n\turl = https://x.test/b\n',
        "user/__manager/config.ini": "[default]\nsecurity_level = weak\n",
        "venv/pyvenv.cfg": "home = /usr/bin\nversion = 3.11.9\n",
        f"{site}/numpy-1.26.4.dist-info/METADATA": metadata,
        f"{site}/numpy-1.26.4.dist-info/WHEEL": "Wheel-Version: 1.0\nTag: cp311-cp311-manylinux_2_17_x86_64\n",
        f"{site}/clip-1.0.dist-info/METADATA": metadata.replace("numpy", "clip"),
        f"{site}/clip-1.0.dist-info/direct_url.json": '{"url": "https://x.test/clip", "vcs_info": {"vcs": "git"}}',
    }
    return [JSON.encode(files)]


def run_capture(data: bytes, folder: Path) -> None:
    """The folder of an installation, as its files say that it is."""
    try:
        files = json.loads(data)
    except (ValueError, RecursionError):
        return
    root = folder / "ComfyUI"
    root.mkdir()
    for name, text in files.items() if isinstance(files, dict) else ():
        content = text if isinstance(text, str) else json.dumps(text)
        write_below(root, name, content.encode(errors="surrogatepass"))
    workspace = Workspace(Paths(folder / "home", folder / "home" / "cache"))
    print_result(capture(workspace, CaptureRequest(root, folder / "made")))
    parse_config((folder / "made" / "pycomfy.toml").read_text())


IMPORTS = tuple(Target(f"import-{name}", run, partial(_seeds, name), _form(name)) for name in FORMATS)
TARGETS = (*IMPORTS, Target("capture", run_capture, capture_seeds, JSON, examples=10))

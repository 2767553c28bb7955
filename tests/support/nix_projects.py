"""Small projects for Nix: real Debian roots, wheels made here; seconds to build."""

import base64
import dataclasses
import hashlib
import json
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.io.atomic_files import write_folder
from pycomfy.adapters.nix import nar_writer
from pycomfy.adapters.nix.build import BuildTarget, build, evaluate
from pycomfy.adapters.nix.image_tar import Entry, list_entries
from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.nix.store import add_tree
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import ComfyUI, Lock, Pack, Platform, Root, Wheel, WorkflowPin
from pycomfy.core.nix.project import ProjectContent, project_files
from pycomfy.core.sources.path import PathSource
from pycomfy.core.sources.wheel_tree import WheelTreeSource

WORKFLOW = b'{"nodes": []}'


@dataclass(frozen=True)
class Workshop:
    """Where a project's parts are made."""

    folder: Path
    settings: NixSettings
    address: str
    """Where `folder` is served: in its sandbox, Nix sees nothing of this machine but the network."""

    def wheel(self, name: str, files: dict[str, bytes], *, record: bool = True) -> Wheel:
        """A wheel of `files`."""
        info = f"{name}-1.0.dist-info"
        files = {
            **files,
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        }
        rows = [f"{path},sha256={_b64(data)},{len(data)}" for path, data in files.items() if record]
        path = self.folder / f"{name}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
            for entry, data in files.items():
                z.writestr(zipfile.ZipInfo(entry), data)
            z.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "\n".join([*rows, f"{info}/RECORD,,"]) + "\n")
        data = path.read_bytes()
        return Wheel(
            name=name,
            version="1.0",
            filename=path.name,
            url=f"{self.address}/{path.name}",
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
        )

    def pack(self, name: str, files: dict[str, str]) -> Pack:
        """A node pack, in the Nix store."""
        folder = self.folder / name
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        tree = nar_writer.hash_path(folder)
        add_tree(self.settings, name, tree, lambda out: _copy(folder, out))
        return Pack(name=name, source=PathSource(path=name, tree=tree), types=())

    def lock(
        self,
        roots: dict[PlatformName, Root],
        wheels: list[Wheel],
        packs: list[Pack],
        comfyui_files: Mapping[str, bytes] | None = None,
    ) -> Lock:
        """A lock of these; its ComfyUI is a folder in a wheel of two files and `comfyui_files`, and its gateway has one
        package, which it does not use."""
        more = {f"tree/app/{path}": data for path, data in (comfyui_files or {}).items()}
        files = {"tree/app/main.py": b"print('hello')\n", "tree/app/secret.yaml": b"x", **more}
        comfyui = self.wheel("comfy", files)
        gateway = self.wheel("gatewaykit", {"gatewaykit/__init__.py": b"kit = 1\n"})
        return Lock(
            name="small",
            as_of="2025-12-05T00:00:00Z",
            workflow=WorkflowPin(sha256=hashlib.sha256(WORKFLOW).hexdigest()),
            comfyui=ComfyUI(
                version="0.0.1",
                source=WheelTreeSource(
                    url=comfyui.url,
                    sha256=comfyui.sha256,
                    name=comfyui.filename,
                    size=comfyui.size,
                    folder="tree/app",
                    exclude=("secret.yaml",),
                ),
            ),
            packs=tuple(packs),
            platforms={
                name: Platform(root=root, wheels=tuple(wheels), gateway=(gateway,)) for name, root in roots.items()
            },
        )

    def project(self, lock: Lock, name: str = "project") -> Path:
        folder = self.folder / name
        write_folder(folder, project_files(ProjectContent(lock, WORKFLOW, {"1": {}}), read_toolkit()))
        return folder

    def with_settings(self, settings: NixSettings) -> "Workshop":
        return dataclasses.replace(self, settings=settings)


def evaluate_expression(project: Path, expression: str) -> object:
    """The JSON of a Nix expression in which `project` is the project's `default.nix`."""
    text = f"let project = import {project}/default.nix; in {expression}"
    done = subprocess.run(
        ["nix-instantiate", "--eval", "--strict", "--json", "--expr", text], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    value: object = json.loads(done.stdout)
    return value


def built(workshop: Workshop, project: Path, platform: str = "linux/amd64", attribute: str = "layout") -> Path:
    """The store path that `nix-build` makes of an attribute of a project."""
    plan = evaluate(workshop.settings, BuildTarget(project, attribute, platform))
    paths = build(workshop.settings, plan, workshop.folder / "log", lambda e: None)
    return Path(paths[0])


def layer_named(layout: Path, layer: str) -> Path:
    """The folder of a layer of an image."""
    image = read_layout(layout)
    return image.layer(image.layers[image.layer_names.index(layer)])


def names_in(layout: Path, layer: str) -> dict[str, Entry]:
    """The entries of a layer of an image, by name."""
    return {entry.path: entry for entry in list_entries(layer_named(layout, layer))}


def names_in_buckets(oci: Path) -> dict[str, Entry]:
    """The entries of all layers of small wheels, by name."""
    buckets = [name for name in read_layout(oci).layer_names if name.startswith("wheels-")]
    return {name: entry for bucket in buckets for name, entry in names_in(oci, bucket).items()}


def bucket_of(wheel: str) -> str:
    """The name of the layer that a small wheel of this name is in."""
    number = int(hashlib.sha256(wheel.encode()).hexdigest()[0], 16) // 2
    return f"wheels-{2 * number:x}{2 * number + 1:x}"


def requisites(settings: NixSettings, path: str) -> list[str]:
    """A store path, and all that it refers to."""
    command = settings.command("nix-store", "--query", "--requisites", path)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _copy(folder: Path, out: Path) -> None:
    subprocess.run(["cp", "-R", str(folder), str(out)], check=True)

"""A real image of about two megabytes: this machine's shell, its libraries, and nothing else."""

import hashlib
import json
import platform
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.layer_folders import Content, File, Link, write_layer_folder

PYTHON = Path(sys.executable).resolve()

PYTHON_MODULES = "http.server, json, os, signal, socketserver, threading, time, encodings.idna, encodings.latin_1"

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


def write_layout(
    layout: Path,
    *,
    linked: bool = False,
    script: str | None = None,
    programs: tuple[str, ...] = (),
    python: str | None = None,
    more_layers: int = 0,
) -> Path:
    """An OCI layout with one image whose entrypoint is `/bin/sh -c`, or the shell running `script`, or this Python
    running the program `python`, which may import what `PYTHON_MODULES` import. It has those `programs` of this
    machine, too. Its second layer has what a folder of the Nix store cannot say: owners and modes of folders.

    `linked` puts the blobs and the layers elsewhere, as Nix does. No two images are the same: who removes
    one takes none from others.
    """
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    store = layout.parent / f"{layout.name}-store" if linked else blobs
    store.mkdir(exist_ok=True)

    def blob(data: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (store / digest).write_bytes(data)
        if linked:
            (blobs / digest).symlink_to(store / digest)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    layers: list[dict[str, object]] = []

    def layer(contents: Mapping[str, Content], exceptions: Mapping[str, tuple[int, int, int]] | None = None) -> None:
        folder = store / f"layer-{len(layers)}"
        digest, size = write_layer_folder(folder, contents, exceptions)
        (layout / "layers" / digest.removeprefix("sha256:")).symlink_to(folder)
        layers.append({"mediaType": kind.format("layer.v1.tar"), "digest": digest, "size": size})

    kind = "application/vnd.oci.image.{}"
    (layout / "layers").mkdir()
    layer(_shell_files(script or python or "", programs, python is not None))
    layer(dict.fromkeys(("data", "models", "tmp")), {"data": (0o755, 1000, 1000), "tmp": (0o1777, 0, 0)})
    for number in range(more_layers):
        layer({f"more/{number}": File(b"")})
    entrypoint = ["/bin/sh", "-c"] if script is None else ["/bin/sh", "/script"]
    if python is not None:
        entrypoint = [str(PYTHON), "-S", "-B", "/script"]
    config = {
        "architecture": ARCHITECTURE,
        "os": "linux",
        "config": {
            "User": "1000:1000",
            "WorkingDir": "/data",
            "Entrypoint": entrypoint,
            "Cmd": ["exit 0"],
            "Labels": {"made": secrets.token_hex(8)},
        },
        "rootfs": {"type": "layers", "diff_ids": [one["digest"] for one in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind.format("manifest.v1+json"),
        "config": blob(json.dumps(config).encode(), kind.format("config.v1+json")),
        "layers": layers,
    }
    entry = blob(json.dumps(manifest).encode(), kind.format("manifest.v1+json"))
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return layout


def change_manifest(
    layout: Path, change: Callable[[Any], object], change_config: Callable[[Any], object] = lambda config: None
) -> None:
    """Let a layout have another manifest and config, whose digests are right."""
    index = json.loads((layout / "index.json").read_text())
    blobs = layout / "blobs" / "sha256"

    def read(digest: str) -> Any:
        return json.loads((blobs / digest.removeprefix("sha256:")).read_text())

    def write(value: Any) -> dict[str, object]:
        data = json.dumps(value).encode()
        name = hashlib.sha256(data).hexdigest()
        (blobs / name).write_bytes(data)
        return {"digest": f"sha256:{name}", "size": len(data)}

    manifest = read(index["manifests"][0]["digest"])
    config = read(manifest["config"]["digest"])
    change_config(config)
    manifest["config"].update(write(config))
    change(manifest)
    index["manifests"][0].update(write(manifest))
    (layout / "index.json").write_text(json.dumps(index))


def _python_files() -> dict[str, Path]:
    """This Python, and the files of the modules that `PYTHON_MODULES` import."""
    code = (
        f"import sys, {PYTHON_MODULES}\nfor m in list(sys.modules.values()): print(getattr(m, '__file__', None) or '')"
    )
    printed = subprocess.run([PYTHON, "-S", "-c", code], capture_output=True, text=True, check=True).stdout
    return {path: Path(path) for path in (str(PYTHON), *printed.split()) if path.startswith("/")}


def _shell_files(script: str, programs: tuple[str, ...], python: bool) -> dict[str, Content]:
    """The shell, more programs, and what the dynamic linker finds for them, at the same paths as here; `script` as
    /script; and what an engine mounts over."""
    present = {f"/bin/{name}": Path(shutil.which(name) or name).resolve() for name in ("sh", *programs)}
    modules = _python_files() if python else {}
    present.update({name: path for name, path in modules.items() if path.suffix != ".py"})
    words = subprocess.run(["ldd", *present.values()], capture_output=True, text=True, check=True).stdout.split()
    libraries = {word: Path(word) for word in words if word.startswith("/") and word[-1] != ":"}
    files = {name: path.resolve().read_bytes() for name, path in {**libraries, **present}.items()}
    files.update({name: path.read_bytes() for name, path in modules.items()})
    files["/script"] = script.encode()
    folders: dict[str, Content] = dict.fromkeys(("dev", "proc", "sys", "run"))
    mounted: dict[str, Content] = {
        "etc/hosts": File(b""),
        "etc/resolv.conf": File(b""),
        "etc/mtab": Link("/proc/mounts"),
    }
    return {**folders, **mounted, **{name.lstrip("/"): File(data, True) for name, data in sorted(files.items())}}

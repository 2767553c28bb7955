"""Load an image into Podman or Docker, and run it: what `nix run .#load` and `nix run .#run` start.

It has the Python of the pinned Debian root and nothing else. Standard library only.
"""

import argparse
import io
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

NO_FILES, NO_PROCESSES = 65536, 32768
"""Upper limits for open files and processes in the container: Podman's own may be more than a machine can give."""

CDI = (Path("/etc/cdi"), Path("/run/cdi"), Path("/var/run/cdi"))
"""Where descriptions of the Container Device Interface are."""


class Refused(Exception):
    """The image cannot be loaded or run; the message says why."""


@dataclass(frozen=True)
class Image:
    """The image of an OCI layout. Digests are `sha256:…`, layers from the bottom; `tag` is the name that it gets."""

    layout: Path
    tag: str
    manifest: str
    config: str
    layers: tuple[str, ...]

    def blob(self, digest: str) -> Path:
        return self.layout / "blobs" / "sha256" / digest.removeprefix("sha256:")


def read_image(layout: Path, name: str) -> Image:
    def read(path: Path) -> Any:
        return json.loads(path.read_bytes())

    manifest: str = read(layout / "index.json")["manifests"][0]["digest"]
    image = Image(layout, tag_of(name), manifest, "", ())
    content = read(image.blob(manifest))
    return Image(
        layout, image.tag, manifest, content["config"]["digest"], tuple(layer["digest"] for layer in content["layers"])
    )


def tag_of(name: str) -> str:
    """The tag that pycomfy gives an image of this name, too."""
    repository = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return f"localhost/pycomfy/{repository or 'workflow'}:latest"


def find_engine(asked: str | None) -> str:
    """The engine that was asked for, else Podman or Docker, whichever is there first."""
    for engine in [asked] if asked else ["podman", "docker"]:
        if shutil.which(engine):
            return engine
    raise Refused(f"{asked or 'neither podman nor docker'} is {'not ' if asked else ''}on PATH")


def find_loaded(engine: str, image: Image) -> str | None:
    """The id of exactly this image in the engine. Docker's containerd store names it by the manifest, others by the
    config."""
    for digest in (image.config, *([image.manifest] if engine == "docker" else [])):
        identity = digest if engine == "docker" else digest.removeprefix("sha256:")
        asked = [engine, "image", "inspect", "--format", "{{.Id}}", identity]
        if subprocess.run(asked, capture_output=True, check=False).returncode == 0:
            return identity
    return None


def load(engine: str, image: Image) -> str:
    """Load the image unless it is there, tag it, and return its id."""
    found = find_loaded(engine, image)
    if found is None:
        print(f"Loading the image into {engine} …", file=sys.stderr)
        stream_to_docker(image) if engine == "docker" else pull_into_podman(engine, image)
        found = find_loaded(engine, image)
        if found is None:
            raise Refused(f"{engine} has an image now, but not the one with the config {image.config}")
    check([engine, "tag", found, image.tag])
    if engine == "podman":
        # Podman also names an image by the path that it was pulled from.
        subprocess.run([engine, "untag", found, f"localhost{image.layout}"], capture_output=True, check=False)
    return found


def pull_into_podman(engine: str, image: Image) -> None:
    """Podman reads a layout where it lies. A stream it would copy to the disk first."""
    check([engine, "pull", "--quiet", f"oci:{image.layout}"])


def stream_to_docker(image: Image) -> None:
    with subprocess.Popen(["docker", "load", "--quiet"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as loading:
        assert loading.stdin is not None  # noqa: S101  (it is a pipe)
        try:
            write_archive(image, loading.stdin)
            loading.stdin.close()
        except BrokenPipeError:
            pass  # Docker says why
        except BaseException:
            loading.kill()
            raise
    if loading.returncode != 0:
        raise Refused("docker could not load the image: its message is above")


def write_archive(image: Image, out: IO[bytes]) -> None:
    """Write a tar that every Docker can load: an OCI layout, with the `manifest.json` of `docker save` for the same
    blobs."""
    config, *layers = (f"blobs/sha256/{d.removeprefix('sha256:')}" for d in (image.config, *image.layers))
    manifest = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": image.manifest,
        "size": image.blob(image.manifest).stat().st_size,
        "annotations": {"io.containerd.image.name": image.tag, "org.opencontainers.image.ref.name": "latest"},
    }
    texts = {
        "oci-layout": {"imageLayoutVersion": "1.0.0"},
        "index.json": {"schemaVersion": 2, "manifests": [manifest]},
        "manifest.json": [{"Config": config, "RepoTags": [image.tag], "Layers": layers}],
    }
    with tarfile.open(fileobj=out, mode="w|", bufsize=1 << 20) as tar:
        for name, content in texts.items():
            data = json.dumps(content).encode()
            tar.addfile(entry(name, len(data)), io.BytesIO(data))
        for digest in dict.fromkeys((image.manifest, image.config, *image.layers)):
            path = image.blob(digest)
            with path.open("rb") as f:
                tar.addfile(entry(f"blobs/sha256/{path.name}", path.stat().st_size), f)


def entry(name: str, size: int) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size = size
    return made


def check(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise Refused(f"`{' '.join(command[:2])}` failed: {done.stderr.decode(errors='replace').strip()}")


def has_gpu() -> bool:
    """Whether NVIDIA's devices are described for the Container Device Interface."""
    return any("nvidia" in path.name for folder in CDI if folder.is_dir() for path in folder.iterdir())


def plan_run(engine: str, image: str, name: str, options: argparse.Namespace) -> list[str]:
    """The arguments that run the image: as little as possible is allowed in it."""
    data = options.data or f"{tag_of(name).removeprefix('localhost/pycomfy/').removesuffix(':latest')}-data"
    is_folder = "/" in data
    user = plan_user(engine, is_folder)
    owner = "U" if engine == "podman" else f"uid={user[0]},gid={user[1]}"
    mount = f"{Path(data).absolute()}:/data{':U' if engine == 'podman' and os.geteuid() == 0 else ''}"
    gpus = options.gpus if options.gpus != "auto" else ("all" if has_gpu() else "none")
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    return [
        engine,
        "run",
        "--rm",
        "--interactive",
        *(["--tty"] if terminal else []),
        "--read-only",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        f"--user={user[0]}:{user[1]}",
        # Triton compiles into it.
        f"--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777,{owner}",
        *(plan_limits() if engine == "podman" else []),
        f"--volume={mount if is_folder else f'{data}:/data'}",
        *([f"--volume={options.models.absolute()}:/models:ro"] if options.models else []),
        *([f"--publish=127.0.0.1:{options.port}:8000"] if options.port else ["--network=none"]),
        *([f"--device=nvidia.com/gpu={one}" for one in gpus.split(",")] if gpus != "none" else []),
        image,
        *options.command,
    ]


def plan_user(engine: str, is_folder: bool) -> tuple[int, int]:
    """Whom the container runs as: the image's user, or who can write to the caller's own folder."""
    if is_folder and os.geteuid() != 0:
        # The root of a rootless container is the caller outside, and has no capability left.
        return (0, 0) if engine == "podman" else (os.getuid(), os.getgid())
    return 1000, 1000


def plan_limits() -> list[str]:
    def limit(kind: int, most: int) -> int:
        hard = resource.getrlimit(kind)[1]
        return most if hard == resource.RLIM_INFINITY else min(hard, most)

    files, processes = limit(resource.RLIMIT_NOFILE, NO_FILES), limit(resource.RLIMIT_NPROC, NO_PROCESSES)
    return [f"--ulimit=nofile={files}:{files}", f"--ulimit=nproc={processes}:{processes}"]


def parser(action: str) -> argparse.ArgumentParser:
    about = "Load the image into Podman or Docker." if action == "load" else "Load the image, and run it."
    made = argparse.ArgumentParser(f"nix run .#{action} --", description=about)
    made.add_argument("--engine", choices=("podman", "docker"), help="the first of both that is there otherwise")
    if action == "run":
        made.add_argument(
            "--port", type=int, default=8000, help="of the API, on this machine alone; 0 for no network at all"
        )
        made.add_argument(
            "--data", help="a folder (with a slash) or a volume for /data; the volume NAME-data otherwise"
        )
        made.add_argument("--models", type=Path, help="a folder with checkpoints/, loras/ …")
        made.add_argument("--gpus", default="auto", help='"all", "none" or numbers; those that CDI describes otherwise')
        made.add_argument("command", nargs="*", help="what the image runs: `serve` (the API) otherwise")
    return made


def become(command: list[str]) -> NoReturn:
    """Replace this process: signals and the terminal are then the engine's."""
    os.execvp(command[0], command)  # noqa: S606


def main(arguments: list[str]) -> str | int:
    """Called with the OCI layout, the image's name, "load" or "run", and what the user wrote."""
    layout, name, action, *rest = arguments
    options = parser(action).parse_args(rest)
    try:
        engine = find_engine(options.engine)
        image = read_image(Path(layout), name)
        loaded = load(engine, image)
    except (Refused, OSError) as e:
        return f"error: {e}"
    if action == "load":
        print(image.tag, loaded)
        return 0
    become(plan_run(engine, loaded, name, options))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)

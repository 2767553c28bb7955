"""Load an image into Podman or Docker, and run it: what `nix run .#load` and `nix run .#run` start.

It has the Python of the pinned Debian root and nothing else. Standard library only.
"""

import argparse
import importlib.util
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from image_tar import Image

NO_FILES, NO_PROCESSES = 65536, 32768
"""Upper limits for open files and processes in the container: Podman's own may be more than a machine can give."""

CDI = (Path("/etc/cdi"), Path("/run/cdi"), Path("/var/run/cdi"))
"""Where descriptions of the Container Device Interface are."""


class Refused(Exception):
    """The image cannot be loaded or run; the message says why."""


def read_module(file: str) -> Any:
    """The builders' module that makes tars, from its file in the Nix store."""
    spec = importlib.util.spec_from_file_location("image_tar", file)
    if spec is None or spec.loader is None:
        raise Refused(f"{file} is not a module")
    # Dataclasses look for their module there.
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def find_loaded(engine: str, image: "Image") -> str | None:
    """The id of exactly this image in the engine. Docker's containerd store names it by the manifest, others by the
    config."""
    for digest in (image.config, *([image.manifest] if engine == "docker" else [])):
        identity = digest if engine == "docker" else digest.removeprefix("sha256:")
        asked = [engine, "image", "inspect", "--format", "{{.Id}}", identity]
        if subprocess.run(asked, capture_output=True, check=False).returncode == 0:
            return identity
    return None


def load(engine: str, image: "Image", name: str, tars: Any) -> str:
    """Load the image unless it is there, tag it, and return its id."""
    found = find_loaded(engine, image)
    if found is None:
        print(f"Loading the image into {engine} …", file=sys.stderr)
        stream(engine, image, tag_of(name), tars)
        found = find_loaded(engine, image)
        if found is None:
            raise Refused(f"{engine} has an image now, but not the one with the config {image.config}")
    check([engine, "tag", found, tag_of(name)])
    return found


def stream(engine: str, image: "Image", tag: str, tars: Any) -> None:
    """Let the engine read the image's tar while it is made of the folders in the Nix store."""
    with subprocess.Popen([engine, "load", "--quiet"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as loading:
        assert loading.stdin is not None  # noqa: S101  (it is a pipe)
        try:
            tars.write_image(image, tag, loading.stdin)
            loading.stdin.close()
        except BrokenPipeError:
            pass  # the engine says why
        except BaseException:
            loading.kill()
            raise
    if loading.returncode != 0:
        raise Refused(f"{engine} could not load the image: its message is above")


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
    """Called with `image_tar.py`, the image's folder and name, "load" or "run", and what the user wrote."""
    tars_file, layout, name, action, *rest = arguments
    options = parser(action).parse_args(rest)
    try:
        engine = find_engine(options.engine)
        tars = read_module(tars_file)
        loaded = load(engine, tars.read_image(Path(layout)), name, tars)
    except (Refused, OSError, ValueError) as e:
        return f"error: {e}"
    if action == "load":
        print(tag_of(name), loaded)
        return 0
    become(plan_run(engine, loaded, name, options))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)

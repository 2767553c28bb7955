"""Plan the argument list that starts a container, in which as little as possible is allowed."""

import contextlib
import os
import re
import resource
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pycomfy.adapters.containers.engine import Engine, StartableImage
from pycomfy.adapters.containers.gpus import explain_missing_gpus, inspect_gpus
from pycomfy.adapters.io.atomic_files import RESERVED_BYTES
from pycomfy.core.sizes import parse_size
from pycomfy.errors import BadInput

LOOPBACK = "127.0.0.1"

USER = 1000
"""The user and group of the image."""

NO_FILES, NO_PROCESSES = 65536, 32768
"""Upper limits for open files and processes."""

DEFAULT_PIDS = 8192
"""Far more than ComfyUI needs with a hundred cores, far less than a machine has."""

MEMORY, TMP, PIDS = "PYCOMFY_CONTAINER_MEMORY", "PYCOMFY_CONTAINER_TMP", "PYCOMFY_CONTAINER_PIDS"
SHM = "PYCOMFY_CONTAINER_SHM"
"""The variables that set limits for every container: they are the machine's, so no project has them."""

LEAST_MEMORY = 32 << 20
"""With less, Python does not start."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_MEMORY = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_GPUS = re.compile(r"all|[A-Za-z0-9-]{1,100}(,[A-Za-z0-9-]{1,100})*")


@dataclass(frozen=True)
class Limits:
    """What a container may take of the machine. `memory`, and the sizes of /tmp and /dev/shm, `tmp` and `shm`, are
    bytes, `pids` counts processes and threads; None stands for a share that leaves the machine usable, 0 for no limit.
    `keep_free` bytes have to stay free on the disk of /data."""

    memory: int | None = None
    tmp: int | None = None
    pids: int | None = None
    keep_free: int = RESERVED_BYTES
    shm: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is not enough for any program: mostly a size without its unit. Raises `BadInput`."""
        if self.memory and self.memory < LEAST_MEMORY:
            what = f"{self.memory} bytes of memory are too few for a container"
            raise BadInput(what, where="memory", fix=f'write it as "12G" or "512M"; at least {LEAST_MEMORY >> 20}M')

    def of_machine(self) -> "Limits":
        """Return the limits with a number in place of each None: nine tenths of the machine's memory, half of the
        container's for /tmp and a quarter for /dev/shm, which lie in it, and 8192 processes and threads."""
        total = machine_memory()
        memory = total * 9 // 10 if self.memory is None else self.memory
        tmp = (memory or total) // 2 if self.tmp is None else self.tmp
        shm = (memory or total) // 4 if self.shm is None else self.shm
        return Limits(memory, tmp, DEFAULT_PIDS if self.pids is None else self.pids, self.keep_free, shm)


DEFAULT_LIMITS = Limits()

SHARED = Path("/run/pycomfy")
"""Where `ContainerSpec.shared` is in the container."""


@dataclass(frozen=True)
class ContainerSpec:
    """What runs, and what it may see. `image` is what starts, `command` what follows its entrypoint. `data` is
    mounted at /data and writable, `models` at /models and read-only, as is each of `model_files` (by its path below
    /models, where a file must exist already). `gpus` is "all", or device numbers or UUIDs with commas between;
    `network` is "none" or the engine's name of one. `mounts` are more folders by their path in the container, which are
    read-only; below /run, for elsewhere a rootless engine cannot make what it mounts over. With `program` that runs in
    place of the image's entrypoint. `shared` is a folder that is mounted at `SHARED` and writable, for a socket and the
    like. `publish` are a port of the loopback interface and the container's port behind it. `environment` are
    variables; None stands for this process's value, which no other user can see.
    `grace` is how many seconds it gets to end once its standard input has ended, if not those of every container.
    `held` are open files that the engine's client has, too: so a lock lasts until the container has ended, also where
    this process is killed."""

    image: StartableImage
    command: tuple[str, ...]
    data: Path
    models: Path | None = None
    gpus: str | None = None
    network: str = "none"
    model_files: Mapping[str, Path] = field(default_factory=dict)
    mounts: Mapping[str, Path] = field(default_factory=dict)
    program: str | None = None
    limits: Limits = DEFAULT_LIMITS
    shared: Path | None = None
    publish: tuple[int, int] | None = None
    environment: Mapping[str, str | None] = field(default_factory=dict)
    grace: float | None = None
    held: tuple[int, ...] = ()


@dataclass(frozen=True)
class User:
    """Whom the processes in the container run as. `owns` says that mounted folders must belong to that user."""

    uid: int
    gid: int
    owns: bool = False


def plan_user(engine: Engine, uid: int, gid: int) -> User:
    """Map the user `uid`, who runs pycomfy, to the image's user, in the way that this engine can."""
    if engine.rootless:
        # The container's root is the user outside; with no capability left it can do nothing the user cannot. Another
        # mapping of users would make Podman copy the whole image.
        return User(0, 0)
    return User(USER, USER, owns=True) if uid == 0 else User(uid, gid)


def plan_run(engine: Engine, spec: ContainerSpec, name: str, user: User) -> list[str]:
    """Return the arguments of `podman run` or `docker run`. Raises `BadInput` for a path, network or device that cannot
    be given to the engine safely, `MissingTool` for GPUs that the engine has no access to."""
    if not _NETWORK.fullmatch(spec.network):
        raise BadInput(f'"{spec.network}" is not a network', where="network", fix='use "none", "bridge" or a name')
    devices = plan_gpus(engine, spec.gpus) if spec.gpus else []
    limits = spec.limits.of_machine()
    users = spec.models is not None or bool(spec.gpus) or bool(spec.mounts)
    private = ",Z" if engine.selinux and not users else ""
    return engine.command(
        "run",
        f"--name={name}",
        "--rm",
        "--interactive",
        "--pull=never",
        "--log-driver=none",
        "--no-healthcheck",
        "--read-only",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        # The user's models and the driver's files keep their labels; relabelling them would be worse.
        *(["--security-opt=label=disable"] if engine.selinux and users else []),
        f"--network={spec.network}",
        f"--user={user.uid}:{user.gid}",
        *plan_limits(engine),
        *([f"--memory={limits.memory}b"] if limits.memory and engine.limits_memory else []),
        *([f"--pids-limit={limits.pids or -1}"] if engine.limits_pids else []),
        "--stop-timeout=3",
        f"--tmpfs=/tmp:{_plan_tmp(engine, user)}{f',size={limits.tmp}' if limits.tmp else ''}",
        # 0 is 64 MB to Docker.
        f"--shm-size={limits.shm or machine_memory()}b",
        f"--volume={_mountable(spec.data)}:/data:rw{private}",
        *([f"--volume={_mountable(spec.shared)}:{SHARED}:rw{private}"] if spec.shared is not None else []),
        *([f"--publish={LOOPBACK}:{spec.publish[0]}:{spec.publish[1]}"] if spec.publish is not None else []),
        *(f"--env={_plan_variable(name, value)}" for name, value in spec.environment.items()),
        *([f"--volume={_mountable(spec.models)}:/models:ro"] if spec.models is not None else []),
        *(f"--volume={_mountable(file)}:{_mountable(Path('/models', at))}:ro" for at, file in spec.model_files.items()),
        *(f"--volume={_mountable(folder)}:{_mountable(Path(at))}:ro" for at, folder in spec.mounts.items()),
        *devices,
        *([f"--entrypoint={spec.program}"] if spec.program is not None else []),
        spec.image.id,
        *spec.command,
        store=spec.image.store,
    )


def _plan_variable(name: str, value: str | None) -> str:
    """Return NAME=VALUE, or NAME alone, whose value the engine takes from its own environment."""
    if not _VARIABLE.fullmatch(name):
        raise BadInput(f'"{name}" cannot be the name of a variable', where="env", fix="use letters, digits and _")
    if value is not None and "\0" in value:
        raise BadInput(f"the value of {name} has a zero byte", where="env", fix="leave it out")
    return name if value is None else f"{name}={value}"


def _plan_tmp(engine: Engine, user: User) -> str:
    """Return the options of /tmp. The container's user owns it, for runc replaces its mode by that of the image's /tmp.

    It is executable because Triton and inductor compile into it and load the result.
    """
    owner = "U" if engine.kind == "podman" else f"uid={user.uid},gid={user.gid}"
    return f"rw,exec,nosuid,nodev,mode=1777,{owner}"


def plan_limits(engine: Engine) -> list[str]:
    """Return limits for Podman: its own may be more than a nested machine can give, and then nothing starts."""
    if engine.kind != "podman":
        return []
    files = _limit(resource.RLIMIT_NOFILE, NO_FILES)
    processes = _limit(resource.RLIMIT_NPROC, NO_PROCESSES)
    return [f"--ulimit=nofile={files}:{files}", f"--ulimit=nproc={processes}:{processes}"]


def plan_gpus(engine: Engine, gpus: str) -> list[str]:
    """Return the arguments for GPUs: by the Container Device Interface where it is set up, else by Docker's NVIDIA
    runtime. Raises as `plan_run`."""
    if not _GPUS.fullmatch(gpus):
        fix = 'use "all", or numbers or UUIDs with commas between'
        raise BadInput(f'"{gpus}" does not name GPUs', where="gpus", fix=fix)
    if engine.kind == "docker" and (engine.nvidia_runtime or (engine.remote and not engine.nvidia_cdi)):
        # Docker reads the value as CSV: the quotes keep the commas inside one field.
        return [f"--gpus={gpus}" if gpus == "all" else f'--gpus="device={gpus}"']
    if not engine.nvidia_cdi:
        raise explain_missing_gpus(engine, inspect_gpus())
    return [f"--device=nvidia.com/gpu={gpu}" for gpu in gpus.split(",")]


def give_to(user: User, folder: Path) -> None:
    """Make the container's user the owner of `folder` and of everything in it."""
    if not user.owns:
        return
    os.chown(folder, user.uid, user.gid)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(parent, name), user.uid, user.gid, follow_symlinks=False)


def read_limits(environment: Mapping[str, str]) -> Limits:
    """Return the limits that the variables set. Raises `BadInput` for a value that is no size or number."""

    def size(name: str) -> int | None:
        text = environment.get(name)
        return parse_size(text, name) if text else None

    pids = environment.get(PIDS, "")
    if pids and not re.fullmatch(r"\d{1,9}", pids):
        raise BadInput(f'"{pids}" is not a number', where=PIDS, fix="write a number, 0 for no limit")
    memory, tmp, shm = size(MEMORY), size(TMP), size(SHM)
    try:
        return Limits(memory, tmp, int(pids) if pids else None, shm=shm)
    except BadInput as e:
        e.where = MEMORY
        raise


def machine_memory(files: tuple[Path, ...] = _MEMORY) -> int:
    """Return the bytes of memory that this process may use at most: the machine's, or less in a container."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in files:
        # "max" where there is no limit; and version 1 has a very large number.
        with contextlib.suppress(OSError, ValueError):
            found.append(int(file.read_text()))
    return min(found)


def _limit(kind: int, maximum: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return maximum if hard == resource.RLIM_INFINITY else min(hard, maximum)


def _mountable(path: Path) -> str:
    """Return the absolute path. Raises `BadInput` for one with a colon, which would begin the next field."""
    text = str(path.absolute())
    if ":" in text or any(ord(c) < 32 for c in text):
        raise BadInput("a path with a colon cannot be mounted", where=text, fix="rename it, or link to it")
    return text

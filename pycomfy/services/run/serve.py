"""`run` as a server: start a version's gateway, and pass connections on to it until it is told to stop."""

import contextlib
import difflib
import fcntl
import hashlib
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pycomfy import operation
from pycomfy.adapters.containers.arguments import LOOPBACK, SHARED, ContainerSpec, Limits
from pycomfy.adapters.containers.process import Exit, LineLimit, run_container
from pycomfy.adapters.containers.readiness import awaiting_ready
from pycomfy.adapters.containers.relay import bind_port, relaying
from pycomfy.adapters.database.records import ImageRecord
from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.io.file_locks import try_lock
from pycomfy.adapters.io.log_files import LogFile
from pycomfy.adapters.io.process import signals_as_exceptions
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.adapters.models.mount import ModelView
from pycomfy.core.interface.examples import Example, write_call
from pycomfy.core.interface.model import Interface, parse_interface
from pycomfy.core.printable import printable
from pycomfy.core.versions.reference import Reference, parse_reference
from pycomfy.core.versions.snapshot import INTERFACE
from pycomfy.errors import BadArgument, BadInput, NotFound, Placeholder, RunFailed, suggest, suggest_retry
from pycomfy.services.models.needed import report_unpinned, view_models
from pycomfy.services.results import Result
from pycomfy.services.run.run import find_models
from pycomfy.services.verification import provide_recorded
from pycomfy.services.versions.lookup import find_image, layout_of
from pycomfy.services.workspace import Workspace

DEFAULT_PORT = 8000
INNER_PORT = 8000
"""Where the gateway listens in a container that has a network."""

DRAIN, STOP = 20.0, 45.0
"""Seconds that running jobs get when a server is stopped, if `PYCOMFY_DRAIN` does not say so; and those that the
gateway and ComfyUI take to end after that."""

MIN_KEY = 8
"""Characters of a key, as the gateway has it."""

MAX_KEYS = 1 << 20
"""Bytes of a file of keys."""

_OURS = frozenset({"PYCOMFY_SOCKET", "PYCOMFY_HOST", "PYCOMFY_PORT", "PYCOMFY_API_KEYS_FILE"})
_TOLD = frozenset({"PYCOMFY_VERSION", "PYCOMFY_IMAGE_DIGEST"})
"""Variables that are not the caller's to set."""


@dataclass(frozen=True)
class ServeOptions:
    """How a version is served. `port` is one of the loopback interface, 0 for any that is free. `state` is the folder
    for jobs and their files, None for the version's own in the data folder. `environment` are settings of the gateway;
    None stands for this process's value. `keys` is a file with a key a line. The others are those of `RunOptions`."""

    port: int = DEFAULT_PORT
    state: Path | None = None
    environment: Mapping[str, str | None] = field(default_factory=dict)
    keys: Path | None = None
    models: Path | Literal["auto"] | ModelView | None = "auto"
    gpus: str | None = None
    network: str = "none"
    limits: Limits | None = None


class Served(Result):
    """A server that is ready. `url` is where it is, `state` the folder with its jobs, `log` its log; `keyed` says that
    it asks for a key. `example` is a line of a shell that runs a job."""

    name: str
    version: int
    url: str
    state: Path
    log: Path
    keyed: bool
    example: str


def serve(
    workspace: Workspace, reference: str, options: ServeOptions, on_ready: Callable[[Served], None] = lambda it: None
) -> None:
    """Serve a version until Ctrl-C, SIGTERM or SIGHUP: running jobs get some time to end then, the others stay in the
    state folder. `on_ready` is called, in another thread, once it is ready.

    Raises `NotFound` for an unknown version, `BadInput` for a port or a folder that is in use, `RunFailed` if the
    gateway ends by itself, `NoSpace` when hardly any space is left on the disk of the state folder.
    """
    _check(options)
    record = find_image(workspace, parse_reference(reference))
    label = f"{record.name}@{record.version}"
    state = (options.state or workspace.paths.served / label).absolute()
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(_hold(state))
        listener = stack.enter_context(bind_port(options.port))
        port = int(listener.getsockname()[1])
        models = _find_models(workspace, record, options)
        image = provide_recorded(workspace.engine, layout_of(record), record.name)
        shared = stack.enter_context(scratch_folder()) / "shared"  # which may become another user's
        shared.mkdir()
        spec = ContainerSpec(
            image,
            ("serve", "--until-eof"),
            state,
            gpus=options.gpus,
            network=options.network,
            limits=workspace.limits if options.limits is None else options.limits,
            shared=shared,
            environment=_plan_environment(record, options, shared, port),
            publish=None if options.network == "none" else (port, INNER_PORT),
            models=None if models is None else models.folder,
            model_files={} if models is None else models.files,
            grace=_read_drain(workspace, options) + STOP,
            held=(lock,),
        )
        log = workspace.log_file(f"serve-{label}")
        keyed = options.keys is not None or "PYCOMFY_API_KEYS" in options.environment
        url = f"http://{LOOPBACK}:{port}"
        example = write_call(Example(label, _find_interface(workspace, record), url), keyed=keyed)
        served = Served(
            name=record.name, version=record.version, url=url, state=state, log=log, keyed=keyed, example=example
        )
        _serve(workspace, spec, listener, served, on_ready)


def _serve(
    workspace: Workspace,
    spec: ContainerSpec,
    listener: socket.socket,
    served: Served,
    on_ready: Callable[[Served], None],
) -> None:
    port = int(listener.getsockname()[1])
    with contextlib.suppress(_Stopped), contextlib.ExitStack() as stack:
        file = stack.enter_context(LogFile(served.log))
        if spec.publish is None and spec.shared is not None:
            stack.enter_context(relaying(listener, spec.shared / "gateway.sock"))
        else:
            listener.close()  # the engine listens there
        start = stack.enter_context(contextlib.ExitStack())
        task = start.enter_context(operation.step("Start the gateway"))

        def hear(reason: str | None) -> None:
            if reason is not None:
                task.note(reason)
                return
            task.note("ready")
            start.close()
            on_ready(served)

        def keep(line: bytes) -> None:
            file.write_line(printable(line.decode("utf-8", "replace")))  # it is followed on a terminal

        lines = LineLimit(on_longer=lambda: None)
        with awaiting_ready(port, hear), _stopping():
            ended = run_container(workspace.engine, spec, b"", keep, on_error=keep, line_limit=lines)
        raise _explain(ended, served)


class _Stopped(Exception):
    """The server was told to stop, and has stopped."""


@contextlib.contextmanager
def _stopping() -> Iterator[None]:
    """Turn signals that end a server in order into `_Stopped`."""
    try:
        with signals_as_exceptions():
            yield
    except (KeyboardInterrupt, SystemExit) as e:
        raise _Stopped from e


def _explain(ended: Exit, served: Served) -> RunFailed:
    """Return the error for a gateway that ended by itself."""
    label = f"{served.name}@{served.version}"
    if "unrecognized arguments: --until-eof" in ended.errors:
        what = f"{label} has a gateway without an API: an older version of pycomfy built it"
        fix = suggest("checkout", "then build DIR", reference=label, to=Placeholder("DIR"))
        return RunFailed(what, where=label, fix=fix)
    why = ": its memory was used up" if ended.out_of_memory else ""
    more = [suggest_retry("run", "the limit", memory=Placeholder("SIZE"))] if ended.out_of_memory else []
    tail = "\n".join(ended.errors.splitlines()[-8:])
    what = f"the gateway ended with status {ended.status}{why}"
    return RunFailed(what, details=tail, fix=(*more, f"see its whole log, in {served.log}"))


def _check(options: ServeOptions) -> None:
    """Raise `BadArgument` for variables that are ours to set, `NotFound` or `BadInput` for keys that cannot be read."""
    if taken := sorted(_OURS & {*options.environment}):
        raise BadArgument(f"{taken[0]} is set by pycomfy", argument="env")
    _report_unknown(options.environment)
    if options.keys is not None and not _read_keys(options.keys).strip():
        fix = "write a key a line, as NAME:KEY"
        raise BadInput("the file has no key: everybody could use the API", where=str(options.keys), fix=fix)


def _report_unknown(environment: Mapping[str, str | None]) -> None:
    """Warn of variables that look like settings of the gateway. They are passed on: an image may be newer than this
    pycomfy."""
    from pycomfy.gateway.settings import PREFIX, VARIABLES

    known = VARIABLES | _TOLD
    for name in sorted(name for name in environment if name.startswith(PREFIX) and name not in known):
        close = difflib.get_close_matches(name, sorted(known), n=1)
        meant = f"; is {close[0]} meant?" if close else ""
        operation.report(f"warning: the gateway knows no setting {printable(name)}{meant}")


def _read_keys(file: Path) -> bytes:
    try:
        with file.open("rb") as f:
            data = f.read(MAX_KEYS + 1)
    except FileNotFoundError as e:
        raise NotFound("no such file", where=str(file), fix="check the path") from e
    except OSError as e:
        what = f"the file cannot be read: {e.strerror}"
        raise BadInput(what, where=str(file), fix="check the path and its permissions") from e
    if len(data) > MAX_KEYS:
        raise BadInput(f"larger than {MAX_KEYS >> 20} MiB", where=str(file), fix="give a file with a key a line")
    return data


def _hash_keys(data: bytes) -> bytes:
    """Return the lines with hashes in place of keys: what runs in the container can read the file."""

    def hashed(line: bytes) -> bytes:
        name, colon, key = line.strip().partition(b":")
        if line.startswith(b"#") or not colon or key.startswith(b"sha256:") or len(key) < MIN_KEY or not key.isascii():
            return line  # the gateway says what is wrong with it
        return name + b":sha256:" + hashlib.sha256(key).hexdigest().encode()

    return b"".join(hashed(line) + b"\n" for line in data.splitlines())


def _plan_environment(record: ImageRecord, options: ServeOptions, shared: Path, port: int) -> Mapping[str, str | None]:
    """Return the gateway's variables. Keys are copied to `shared`: the container's user may not read their file."""
    ours: dict[str, str | None] = {
        "PYCOMFY_IMAGE_DIGEST": record.manifest_digest,
        "PYCOMFY_VERSION": str(record.version),
        "PYCOMFY_PUBLIC_URL": f"http://{LOOPBACK}:{port}",
    }
    if options.keys is not None:
        copy = shared / "api-keys"
        with open(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as f:  # noqa: PTH123
            f.write(_hash_keys(_read_keys(options.keys)))
        ours["PYCOMFY_API_KEYS_FILE"] = str(SHARED / copy.name)
    if options.network == "none":
        ours["PYCOMFY_SOCKET"] = str(SHARED / "gateway.sock")
    return {**ours, **options.environment}


def _read_drain(workspace: Workspace, options: ServeOptions) -> float:
    name = "PYCOMFY_DRAIN"
    text = options.environment.get(name, str(DRAIN))
    text = workspace.environment.get(name) if text is None else text
    try:
        return max(0.0, min(float(text or DRAIN), 86_400.0))
    except ValueError as e:
        raise BadInput(f'"{text}" is not a number of seconds', where=name, fix="write a number") from e


def _find_models(workspace: Workspace, record: ImageRecord, options: ServeOptions) -> ModelView | None:
    """Return what is mounted as /models; where the gateway fetches what is missing, what is here."""
    if options.models == "auto":
        fetches = options.environment.get("PYCOMFY_FETCH_MODELS", "") not in ("", "0", "false")
        reference = Reference(record.name, record.version)
        view = view_models(workspace, reference, partial=fetches)
        report_unpinned(workspace, str(reference))
        return view
    return find_models(options.models)


def _find_interface(workspace: Workspace, record: ImageRecord) -> Interface:
    """Return the interface of a version; an empty one if it cannot be read."""
    versions = workspace.versions
    commit = versions.find(Reference(record.name, record.version)).commit
    data = versions.read_some([commit], (INTERFACE,))[commit].get(INTERFACE)
    try:
        return Interface() if data is None else parse_interface(data.decode(errors="replace"))
    except BadInput:
        return Interface()


@contextlib.contextmanager
def _hold(state: Path) -> Iterator[int]:
    """Create the state folder, and lock it; the open folder. Raises `BadInput` if another server has it."""
    with translate_disk_full(state):
        state.parent.mkdir(parents=True, exist_ok=True)
        state.mkdir(mode=0o700, exist_ok=True)  # jobs and outputs are no other user's
        fd = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not try_lock(fd, fcntl.LOCK_EX):
            fix = (
                "end the other server, or wait until it has ended",
                suggest_retry("run", "another folder", state=Placeholder("DIR")),
            )
            raise BadInput("another server uses this folder", where=str(state), fix=fix)
        yield fd
    finally:
        os.close(fd)

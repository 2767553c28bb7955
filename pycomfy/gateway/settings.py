"""Every setting of the gateway: an environment variable each, read once at the start."""

import base64
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError

from .assets.addresses import Trusted
from .launch import FILE, MODEL_TOKENS, STORAGE_SECRETS

PREFIX = "PYCOMFY_"


def _split(value: object) -> object:
    return tuple(part for part in (p.strip() for p in value.split(",")) if part) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""A list, separated by commas."""


def _check_hosts(entries: tuple[str, ...]) -> tuple[str, ...]:
    Trusted.parse(entries)
    return entries


def _check_secret(secret: str) -> str:
    """Standard Webhooks wants 24 to 64 bytes in base64, after whsec_."""
    if secret:
        try:
            text = secret.removeprefix("whsec_").rstrip("=")
            size = len(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
        except ValueError:
            raise ValueError("it must be whsec_ and base64") from None
        if not 16 <= size <= 256:
            raise ValueError("it must be the base64 of at least 16 bytes; 32 are usual")
    return secret


SECRET: dict[str, JsonValue] = {"x-secret": True}

MAX_SECRET = 64 << 10
"""Bytes of a file with a secret."""


class BadSettings(Exception):
    """A variable has a value that it cannot have. The message names each, and what it may be; never the value."""


class Settings(BaseModel):
    """The field `max_queued` is the variable PYCOMFY_MAX_QUEUED. Times are in seconds, sizes in bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field("0.0.0.0", description="address to listen at inside the container")  # noqa: S104  the container's
    port: int = Field(8000, ge=0, le=65535, description="port to listen at")
    socket: Path | None = Field(None, description="path of a unix socket to listen at, in place of host and port")
    public_url: str = Field("", description="address that clients use, for links; empty: as each request has it")

    allowed_hosts: Names = Field(
        (),
        description="host names that requests may be for, * for any; empty: any where there are keys, else addresses"
        " and names of private networks",
    )
    api_keys: Names = Field(
        (),
        description="keys that may call the API: NAME:KEY or NAME:sha256:HEX; without any, everybody may",
        json_schema_extra=SECRET,
        repr=False,
    )
    api_keys_file: Path | None = Field(None, description="file with such a key a line, read again when it changes")
    public: bool = Field(False, description="let those without a key run jobs, too; they cannot list jobs")
    metrics_public: bool = Field(False, description="give /metrics to those without a key")
    rate_limit: float = Field(
        0,
        ge=0,
        description="requests per second of a key, or of an address without a key, those of a unix socket as one;"
        " 0: no limit",
    )
    rate_burst: float = Field(0, ge=0, description="requests that may come at once; 0: as many as in a second")
    cors_origins: Names = Field((), description="origins of web pages that may call the API; * for all")
    max_connections: int = Field(4000, gt=0, description="connections at once; more are answered with 503")
    max_header: int = Field(64 << 10, ge=1024, description="bytes of a request's address and headers")
    max_body: int = Field(32 << 20, gt=0, description="bytes of a JSON request")
    max_upload: int = Field(4 << 30, gt=0, description="bytes of an uploaded or fetched file")
    max_streams: int = Field(500, gt=0, description="event streams that one key may have open")

    graphs: Literal["fixed", "nodes", "any"] = Field(
        "fixed",
        description="graphs that are taken: the image's own with other values, any of its node types, or any at all",
    )
    expose_comfyui: bool = Field(False, description="pass /comfyui/ on to ComfyUI itself, for those with a key")

    max_queued: int = Field(1000, gt=0, description="jobs that may wait; more are refused with 429")
    max_queued_by_key: int = Field(
        0, ge=0, description="jobs of one key that may wait, and of all without a key; 0: as many as of all together"
    )
    max_queued_bytes: int = Field(
        1 << 30, gt=0, description="bytes of the requests that may wait, graphs mostly; more are refused with 429"
    )
    job_timeout: float = Field(3600, gt=0, description="seconds after which a job expires, waiting included")
    max_attempts: int = Field(3, ge=1, description="starts of a job whose ComfyUI died")
    durable: Literal["all", "accepted", "none"] = Field(
        "accepted",
        description="what waits for the disk: each change of a job, its acceptance only, or nothing; all survive a"
        " kill, and after a loss of power a job that had ended may run again",
    )
    keep_results: float = Field(86_400, ge=60, description="seconds that a job and its outputs are kept after its end")
    keep_bytes: int = Field(20 << 30, gt=0, description="bytes of kept outputs and inputs; the oldest go first")

    workers: str = Field(
        "auto", pattern=r"^(auto|[1-9][0-9]{0,2})$", description="ComfyUIs: a number, or auto for one for each GPU"
    )
    split: Literal["off", "apart", "models"] = Field(
        "off",
        description="run the branches of one job at once on ComfyUIs that are idle: off, those that have no node in"
        " common (apart), or also those that have only loaders of model files in common (models)",
    )
    drain: float = Field(
        20, ge=0, le=86_400, description="seconds that running jobs get when the gateway is stopped; the others wait"
    )
    hang_limit: float = Field(120, gt=0, description="seconds without any answer after which ComfyUI is started again")
    interrupt_limit: float = Field(
        30, gt=0, description="seconds that a node gets to end when its job is canceled; then ComfyUI is started again"
    )
    fetch_models: bool = Field(False, description="download models that are missing, and verify them")
    warmup: str = Field(
        "", description="1: run the workflow once before ready; or a file with a graph; what it makes is thrown away"
    )

    fetch_hosts: Annotated[Names, AfterValidator(_check_hosts)] = Field(
        (), description="private hosts that inputs may be fetched from all the same: HOST, HOST:PORT or a network"
    )
    fetch_http: bool = Field(False, description="fetch inputs by http, too, where their address says so")
    webhook_secret: Annotated[str, AfterValidator(_check_secret)] = Field(
        "",
        description="secret that signs webhooks (whsec_…); empty: none are sent",
        json_schema_extra=SECRET,
        repr=False,
    )
    webhook_hosts: Annotated[Names, AfterValidator(_check_hosts)] = Field(
        (), description="private hosts that webhooks may be sent to all the same: HOST, HOST:PORT or a network"
    )
    webhook_http: bool = Field(False, description="send webhooks by http, too, where their address says so")
    webhook_limit: float = Field(
        86_400, gt=0, description="seconds after the end of a job in which its webhook is tried again"
    )
    storage: str = Field(
        "",
        description="where outputs are put, besides here: s3://BUCKET/PREFIX (with the AWS_… variables of other tools, "
        "AWS_ENDPOINT_URL among them), or an https address for PUT with {name} in it, and {job} or {hash}",
    )
    storage_token: str = Field(
        "", description="bearer token for a storage by https", json_schema_extra=SECRET, repr=False
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level of the log")
    log_file: Path | None = Field(None, description="file for the log, beside standard error; it is rotated")
    log_bytes: int = Field(10 << 20, ge=4096, description="bytes of the log file before it is rotated")
    log_files: int = Field(5, ge=1, description="old log files that are kept")
    log_lines: float = Field(100, gt=0, description="lines a second that are kept of what ComfyUI prints")


def variable(field: str) -> str:
    return f"{PREFIX}{field.upper()}"


def is_secret(field: str) -> bool:
    about = Settings.model_fields[field].json_schema_extra
    return isinstance(about, dict) and bool(about.get("x-secret"))


IN_FILES = (
    *(
        variable(name)
        for name in Settings.model_fields
        if is_secret(name) and f"{name}_file" not in Settings.model_fields
    ),
    *("AWS_ACCESS_KEY_ID", *sorted(STORAGE_SECRETS)),
    *(name for names in MODEL_TOKENS.values() for name in names),
)
"""Secrets that NAME_FILE may give; those of other tools, too, that the gateway uses."""

VARIABLES = frozenset((*map(variable, Settings.model_fields), *(f"{name}{FILE}" for name in IN_FILES)))


def read_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment, with the value of NAME out of the file that NAME_FILE names: engines mount secrets as files.

    A secret is one line; white space around it is not part of it. Raises `BadSettings`, which names each variable with
    what is wrong, and neither a value nor the name of a file: somebody may have put the secret there.
    """
    found, problems = dict(environment), []
    for name in IN_FILES:
        path = found.pop(f"{name}{FILE}", "")
        if not path:
            continue
        try:
            if found.get(name):
                raise ValueError(f"{name} is set as well: leave one of them out")
            found[name] = _read_secret(Path(path))
        except (OSError, ValueError) as e:
            problems.append(f"{name}{FILE}: {describe(e)}")
    if problems:
        raise BadSettings("; ".join(problems))
    return found


def _read_secret(path: Path) -> str:
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe could be waited for without end
        raise ValueError("it is no regular file")
    with path.open("rb") as file:
        data = file.read(MAX_SECRET + 1)
    if len(data) > MAX_SECRET:
        raise ValueError(f"the file has more than {MAX_SECRET} bytes")
    text = data.decode().strip()
    if not text:
        raise ValueError("the file is empty")
    if not text.isprintable():
        raise ValueError("the file has more than one line of printable characters")
    return text


def describe(error: OSError | ValueError) -> str:
    """Why a file cannot be used, without its name or what is in it."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)


def _word(error: Mapping[str, Any]) -> str:
    name = str(error["loc"][0])
    if error["type"] != "string_pattern_mismatch":
        return f"{variable(name)}: {error['msg']}"
    return f"{variable(name)}: not possible ({Settings.model_fields[name].description})"


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises `BadSettings`. Variables with our prefix that are no settings are left alone: other tools have theirs."""
    names = {variable(name): name for name in Settings.model_fields}
    given = {names[key]: value for key, value in environment.items() if key in names and value != ""}
    try:
        return Settings.model_validate(given)
    except ValidationError as e:
        # Without the value: it may be a key.
        raise BadSettings("; ".join(map(_word, e.errors(include_input=False)))) from None

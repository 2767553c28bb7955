"""The program `uv pip compile`: how it is started, what of the environment reaches it, and its answers of today."""

import hashlib
import json
import os
import re
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from uv import find_uv_bin

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.credentials import find_origin
from pycomfy.adapters.io.process import run
from pycomfy.core.lockfile.package_indexes import (
    DEFAULT_INDEXES,
    IndexConfig,
    find_links,
    render_index_config,
    strip_logins,
    translate_pip,
)
from pycomfy.errors import BadConfig, MissingTool

# How the index is reached is the machine's affair; what is chosen from it must depend on the question alone.
_KEPT = re.compile(
    r"(UV_(DEFAULT_INDEX|INDEX\w*|EXTRA_INDEX_URL|NO_INDEX|CACHE_DIR|CONFIG_FILE|NATIVE_TLS|SYSTEM_CERTS|INSECURE_HOST"
    r"|OFFLINE|KEYRING_PROVIDER|HTTP_\w+|CONCURRENT_DOWNLOADS)"
    r"|SSL_\w+|((all|https?|no)_proxy)|NETRC|HOME|USER|PATH|TMPDIR|XDG_\w+)",
    re.IGNORECASE,
)
_CHOOSES = ("UV_INDEX_STRATEGY",)

DAY = 24 * 60 * 60


def make_environment(reach: IndexConfig = DEFAULT_INDEXES, *, links: Sequence[str] = ()) -> dict[str, str]:
    """What uv's process gets: this one's variables about reaching indexes, pip's too, and what pycomfy.toml says of
    them. A login that an index's URL may hold is seen by nobody else there, unlike in arguments."""
    given = {**translate_pip(os.environ), **os.environ}
    environment = {k: v for k, v in given.items() if _KEPT.fullmatch(k) and k not in _CHOOSES}
    own = [f"{index.name}={reach.address(index)}" for index in reach.indexes if not index.packages]
    if own:
        environment["UV_INDEX"] = " ".join([*own, environment.get("UV_INDEX", "")]).strip()
    if environment.get("UV_NO_INDEX"):
        links = links or outer_links()
    if places := dict.fromkeys([*reach.find_links, *links]):
        environment["UV_FIND_LINKS"] = ",".join(places)
    return environment


def outer_links() -> tuple[str, ...]:
    """Folders and pages of wheels that the environment names; they are asked only where indexes have no answer, because
    a lock should not depend on the machine, and files there have no date."""
    configured = _read_configuration(os.environ).get("find-links")
    return find_links(os.environ) or tuple(map(str, configured if isinstance(configured, list) else ()))


def local_places(reach: IndexConfig) -> list[Path]:
    """The folders of this disk that wheels may come from: those that the user named, here or in the environment."""
    environment = make_environment(reach, links=outer_links())
    named = [v for k, v in environment.items() if k.startswith("UV_") and "INDEX" in k]
    urls = [part.rpartition("=")[2] for value in named for part in value.split()]
    links = environment.get("UV_FIND_LINKS", "").split(",")
    places = [place.removeprefix("file://") for place in (*urls, *links)]
    return [Path(place) for place in places if place.startswith("/")]


def find_logins(reach: IndexConfig) -> dict[str, str]:
    """The logins that URLs of indexes hold, as they stand there, by the origin that they are for."""
    named = [v for k, v in make_environment(reach, links=outer_links()).items() if re.search("INDEX|LINKS", k)]
    urls = [re.sub(r"^[\w-]+=", "", part) for value in named for part in re.split(r"[\s,]+", value)]
    urls += [reach.address(index) for index in reach.indexes]
    found = {}
    for url in urls:
        match = re.match(r"(https?://)([^/]*)@([^/@]+)", url)
        if match is not None:
            found[find_origin(match[1] + match[3])] = match[2]
    return found


def with_login(url: str, reach: IndexConfig) -> str | None:
    """The URL of a file with the login that its index's URL holds; None if that holds none, or it has one itself."""
    login = find_logins(reach).get(find_origin(url)) if strip_logins(url) == url else None
    return url.replace("://", f"://{login}@", 1) if login is not None else None


def query_uv(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], cache: Path | None) -> bytes | str:
    """As `run_uv`, but an answer of today to the same question, asked of the same index, is taken from the cache."""
    if cache is None:
        return run_uv(arguments, folder, environment)
    known = cache / "resolved" / f"{_fingerprint(arguments, folder, environment)}.toml"
    try:
        if 0 <= time.time() - known.stat().st_mtime < DAY:
            answer = known.read_bytes()
            tomllib.loads(answer.decode())
            return answer
    except (OSError, ValueError):
        pass
    done = run_uv(arguments, folder, environment)
    if isinstance(done, bytes):
        write_file(known, done)
    return done


def find_uv() -> Path | None:
    """The program uv, which comes as a Python package; None if it is not installed."""
    try:
        return Path(find_uv_bin())
    except FileNotFoundError:
        return None


def run_uv(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> bytes | str:
    """What uv prints, or, as text, why it could not answer. Raises `MissingTool`."""
    try:
        uv = find_uv_bin()
    except FileNotFoundError as e:
        raise MissingTool(
            "the program uv is not installed", where=str(e), fix=f"{sys.executable} -m pip install --force-reinstall uv"
        ) from e
    done = run(
        [
            uv,
            "pip",
            "compile",
            "--color=never",
            "--no-progress",
            f"--python={sys.executable}",
            "--no-python-downloads",
            *_configuration(environment, folder),
            *arguments,
        ],
        cwd=folder,
        env={k: v for k, v in environment.items() if k != "UV_CONFIG_FILE"},
    )
    return done.stdout if done.returncode == 0 else done.stderr.decode(errors="replace")


def _fingerprint(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """A hash of all that uv's answer depends on."""
    arguments = [*_configuration(environment, folder), *arguments]
    asked = {
        "uv": version("uv"),
        "arguments": list(arguments),
        "files": {p.relative_to(folder).as_posix(): _digest(p) for p in sorted(folder.rglob("*")) if p.is_file()},
        "environment": {k: v for k, v in environment.items() if re.search("INDEX|LINKS", k)},
        "links": [_listing(Path(place)) for place in environment.get("UV_FIND_LINKS", "").split(",") if place],
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _listing(folder: Path) -> list[tuple[str, int, int]]:
    """What is in a folder of wheels, by size and time."""
    try:
        return sorted((e.name, e.stat().st_size, e.stat().st_mtime_ns) for e in os.scandir(folder))
    except OSError:
        return []


def _configuration(environment: Mapping[str, str], folder: Path) -> list[str]:
    """uv's argument for what the user's or the machine's uv.toml says of reaching indexes, such as a company's. What
    else it says, and one that lies about in folders, is not read. Raises `BadConfig` if it is no TOML."""
    said = _read_configuration(environment)
    if not said:
        return ["--no-config"]
    (folder / "uv.toml").write_text(render_index_config(said))
    return ["--config-file=uv.toml"]


def _read_configuration(environment: Mapping[str, str]) -> dict[str, Any]:
    paths = Path(environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME", "/"), ".config"))
    own = environment.get("UV_CONFIG_FILE")
    places = [Path(own)] if own else [paths / "uv" / "uv.toml", Path("/etc/uv/uv.toml")]
    for place in places:
        try:
            return tomllib.loads(place.read_text())
        except FileNotFoundError:
            continue
        except (OSError, ValueError, RecursionError) as e:
            why = "it is no TOML" if isinstance(e, ValueError) else str(e)
            raise BadConfig(f"uv's configuration cannot be read: {why}", where=str(place), fix="correct it") from e
    return {}

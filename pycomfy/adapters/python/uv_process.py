"""Run `uv pip compile`: with which of the environment's variables, and with today's answers kept."""

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

from packaging.utils import canonicalize_name
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

# How indexes are reached is the machine's business; what is chosen from them must depend on the request alone.
_KEPT = re.compile(
    r"(UV_(DEFAULT_INDEX|INDEX\w*|EXTRA_INDEX_URL|NO_INDEX|CACHE_DIR|CONFIG_FILE|NATIVE_TLS|SYSTEM_CERTS|INSECURE_HOST"
    r"|OFFLINE|KEYRING_PROVIDER|HTTP_\w+|CONCURRENT_DOWNLOADS)"
    r"|SSL_\w+|((all|https?|no)_proxy)|NETRC|HOME|USER|PATH|TMPDIR|XDG_\w+)",
    re.IGNORECASE,
)
_CHOOSES = ("UV_INDEX_STRATEGY",)

DAY = 24 * 60 * 60

_NO_WHEELS = re.compile(r"\b(?:has|have)\s+no\s+(?:usable\s+)?wheels\b")
_TEMPORARY = re.compile(
    r"not found in the\s+(?:package registry|cache)|Failed to fetch|error sending request|Request failed|could not be"
    r"\s+queried|network was disabled|missing an upload date|Received some unexpected|No space"
)

UvOutcome = bytes | str
"""uv's answer in bytes; or as text, why it has none."""


def make_environment(index_config: IndexConfig = DEFAULT_INDEXES, *, links: Sequence[str] = ()) -> dict[str, str]:
    """Return the variables for uv's process: those about indexes, pip's too, and what pycomfy.toml adds.

    A login in an index's URL is visible to nobody else there, unlike in arguments.
    """
    variables = _variables(index_config)
    translated = {**translate_pip(variables), **variables}
    environment = {k: v for k, v in translated.items() if _KEPT.fullmatch(k) and k not in _CHOOSES}
    own = [f"{index.name}={index_config.address(index)}" for index in index_config.indexes if not index.packages]
    if own:
        environment["UV_INDEX"] = " ".join([*own, environment.get("UV_INDEX", "")]).strip()
    if environment.get("UV_NO_INDEX"):
        links = links or environment_links(index_config)
    if all_links := dict.fromkeys([*index_config.find_links, *links]):
        environment["UV_FIND_LINKS"] = ",".join(all_links)
    return environment


def _variables(index_config: IndexConfig) -> Mapping[str, str]:
    return os.environ if index_config.environment is None else index_config.environment


def environment_links(index_config: IndexConfig = DEFAULT_INDEXES) -> tuple[str, ...]:
    """Return the folders and pages of wheels that the environment names. They are used only if indexes have no answer,
    because a lock should not depend on the machine, and files there have no date."""
    variables = _variables(index_config)
    configured = _read_configuration(variables).get("find-links")
    return find_links(variables) or tuple(map(str, configured if isinstance(configured, list) else ()))


def local_folders(index_config: IndexConfig) -> list[Path]:
    """Return the folders on this disk that wheels may come from: those that the user named, here or in the
    environment."""
    environment = make_environment(index_config, links=environment_links(index_config))
    named = [v for k, v in environment.items() if k.startswith("UV_") and "INDEX" in k]
    urls = [part.rpartition("=")[2] for value in named for part in value.split()]
    links = environment.get("UV_FIND_LINKS", "").split(",")
    paths = [url.removeprefix("file://") for url in (*urls, *links)]
    return [Path(path) for path in paths if path.startswith("/")]


def find_logins(index_config: IndexConfig) -> dict[str, str]:
    """Return the logins in URLs of indexes, as they are written there, by origin."""
    environment = make_environment(index_config, links=environment_links(index_config))
    named = [v for k, v in environment.items() if re.search("INDEX|LINKS", k)]
    urls = [re.sub(r"^[\w-]+=", "", part) for value in named for part in re.split(r"[\s,]+", value)]
    urls += [index_config.address(index) for index in index_config.indexes]
    found = {}
    for url in urls:
        match = re.match(r"(https?://)([^/]*)@([^/@]+)", url)
        if match is not None:
            found[find_origin(match[1] + match[3])] = match[2]
    return found


def with_login(url: str, index_config: IndexConfig) -> str | None:
    """Return the URL of a file with the login in its index's URL; None if there is none, or `url` has one itself."""
    login = find_logins(index_config).get(find_origin(url)) if strip_logins(url) == url else None
    return url.replace("://", f"://{login}@", 1) if login is not None else None


def query_uv(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], cache: Path | None) -> UvOutcome:
    """Run uv as `run_uv` does, but take today's outcome of the same request to the same indexes from the cache: an
    answer, or that packages have no wheels, which is how a lock learns what has to be built."""
    if cache is None:
        return run_uv(arguments, folder, environment)
    name = _fingerprint(arguments, folder, environment)
    answered, lacking = cache / "resolved" / f"{name}.toml", cache / "resolved" / f"{name}.lacking"
    try:
        if _is_of_today(answered):
            answer = answered.read_bytes()
            tomllib.loads(answer.decode())
            return answer
        if _is_of_today(lacking):
            return lacking.read_text()
    except (OSError, ValueError):
        pass
    outcome = run_uv(arguments, folder, environment)
    if isinstance(outcome, bytes):
        write_file(answered, outcome)
    elif _lacks_wheels(outcome, arguments):
        write_file(lacking, outcome)
    return outcome


def _is_of_today(file: Path) -> bool:
    """Return whether the file exists and is less than a day old."""
    try:
        return 0 <= time.time() - file.stat().st_mtime < DAY
    except FileNotFoundError:
        return False


def _lacks_wheels(stderr: str, arguments: Sequence[str]) -> bool:
    """Return whether uv looked everywhere, and packages have no wheels: that of a date does not change. Whatever may be
    otherwise in a minute is not kept: an index that did not answer, a package that it does not know, files without a
    date."""
    dated = any(a.startswith("--exclude-newer=") for a in arguments)
    dated = dated and not any(a.startswith("--exclude-newer-package=") for a in arguments)
    return dated and _NO_WHEELS.search(stderr) is not None and _TEMPORARY.search(stderr) is None


def read_versions(outcome: UvOutcome) -> dict[str, str]:
    """Return the version of each package that uv chose, by its normalised name; nothing if it has no answer."""
    packages = tomllib.loads(outcome.decode())["packages"] if isinstance(outcome, bytes) else []
    return {canonicalize_name(str(p.get("name"))): str(p.get("version")) for p in packages}


def find_uv() -> Path | None:
    """Return the program uv, which comes as a Python package; None if it is not installed."""
    try:
        return Path(find_uv_bin())
    except FileNotFoundError:
        return None


def run_uv(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> UvOutcome:
    """Run `uv pip compile` in `folder` and return its outcome. Raises `MissingTool`."""
    try:
        uv = find_uv_bin()
    except FileNotFoundError as e:
        fix = f"`{sys.executable} -m pip install --force-reinstall uv`"
        raise MissingTool("the program uv is not installed", where=str(e), fix=fix) from e
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
    """Return a hash of all that uv's answer depends on."""
    arguments = [*_configuration(environment, folder), *arguments]
    request = {
        "uv": version("uv"),
        "arguments": list(arguments),
        "files": {p.relative_to(folder).as_posix(): _digest(p) for p in sorted(folder.rglob("*")) if p.is_file()},
        "environment": {k: v for k, v in environment.items() if re.search("INDEX|LINKS", k)},
        "links": [_listing(Path(link)) for link in environment.get("UV_FIND_LINKS", "").split(",") if link],
    }
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _listing(folder: Path) -> list[tuple[str, int, int]]:
    """Return the files in a folder of wheels, with size and time."""
    try:
        return sorted((e.name, e.stat().st_size, e.stat().st_mtime_ns) for e in os.scandir(folder))
    except OSError:
        return []


def _configuration(environment: Mapping[str, str], folder: Path) -> list[str]:
    """Return uv's argument for what the user's or the machine's uv.toml says about indexes, such as a company's. Its
    other settings are left out, and so is any uv.toml in a folder. Raises `BadConfig` for malformed TOML."""
    configuration = _read_configuration(environment)
    if not configuration:
        return ["--no-config"]
    (folder / "uv.toml").write_text(render_index_config(configuration))
    return ["--config-file=uv.toml"]


def _read_configuration(environment: Mapping[str, str]) -> dict[str, Any]:
    base = Path(environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME", "/"), ".config"))
    own = environment.get("UV_CONFIG_FILE")
    for path in [Path(own)] if own else [base / "uv" / "uv.toml", Path("/etc/uv/uv.toml")]:
        try:
            return tomllib.loads(path.read_text())
        except FileNotFoundError:
            continue
        except (OSError, ValueError, RecursionError) as e:
            why = "malformed TOML" if isinstance(e, ValueError) else str(e)
            raise BadConfig(f"uv's configuration cannot be read: {why}", where=str(path), fix="correct it") from e
    return {}

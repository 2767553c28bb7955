"""The official clients of Comfy API v2, in an environment of their own."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.stories.gateway.container import wait_for

PACKAGES = ("comfy-sdk==0.5.0", "comfy-api-proxy==0.1.6")
HERE = Path(__file__).parent


def install(folder: Path, *more: str) -> Path:
    """The folder of the environment's programs, with `more` packages. Skips the test where they cannot be had."""
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "--quiet", folder], check=True)
    done = subprocess.run(
        [uv, "pip", "install", "--quiet", f"--python={folder}/bin/python", *PACKAGES, *more],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"the official clients cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
    return folder / "bin"


@contextlib.contextmanager
def proxy(programs: Path, comfyui: str, port: int, folder: Path) -> Iterator[str]:
    """comfy-api-proxy before a ComfyUI; its address."""
    command: list[str | Path] = [
        programs / "comfy-api-proxy",
        "--comfyui",
        comfyui,
        "--port",
        str(port),
        "--state-dir",
        folder / "state",
    ]
    log = folder / "proxy.log"
    with log.open("wb") as file:
        started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/api/v2/jobs", started, log)
        yield address
    finally:
        started.kill()
        started.wait()

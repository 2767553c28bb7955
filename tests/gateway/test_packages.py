"""The gateway's packages: pinned as uv.lock has them, and needed by no command but `serve`."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GATEWAY = ROOT / "pycomfy" / "gateway"


def test_the_pins_that_travel_are_those_of_the_lock(tmp_path: Path) -> None:
    made = tmp_path / "requirements.txt"
    subprocess.run([ROOT / "scripts" / "gateway-requirements.sh", made], check=True)
    assert made.read_text() == (GATEWAY / "requirements.txt").read_text(), "run scripts/gateway-requirements.sh"
    assert "://" not in made.read_text()


@pytest.mark.parametrize("command", ["job --no-watch", "comfyui", "object-info", "health"])
def test_what_pycomfy_runs_in_an_image_needs_the_standard_library_alone(command: str, tmp_path: Path) -> None:
    """The driver of the browser, older images and small ones have no packages of the gateway. `-S` leaves out all that
    are installed; each command then fails for want of a ComfyUI, not of a module."""
    places = [f"--{name}={tmp_path / name}" for name in ("comfyui", "project", "data", "models", "temp")]
    done = subprocess.run(
        [sys.executable, "-E", "-S", "-B", GATEWAY, *places, "--port=1", *command.split()],
        input="{}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "ModuleNotFoundError" not in done.stderr and "ImportError" not in done.stderr

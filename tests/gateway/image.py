"""The folders of an image, with the stand-in for ComfyUI in them."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.waiting import HANG

GATEWAY = Path(__file__).parents[2] / "pycomfy" / "gateway"


class Image:
    """An image's folders, with the stand-in for ComfyUI in them."""

    def __init__(self, root: Path) -> None:
        shutil.copytree(Path(__file__).parent / "stand_in", root / "ComfyUI")
        (root / "project").mkdir()
        (root / "project" / "prompt.json").write_text('{"1": {"class_type": "Save", "_meta": {"title": "Mine"}}}')
        (root / "project" / "workflow.json").write_text("{}")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        places = {"comfyui": root / "ComfyUI", "python": sys.executable, "project": root / "project"}
        places["port"] = self.port
        places |= {"data": root / "data", "models": root / "models", "temp": root / "tmp"}
        self.root = root
        self.command = [sys.executable, "-B", str(GATEWAY), *(f"--{k}={v}" for k, v in places.items())]

    def start(self, *command: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        pipe, own = subprocess.PIPE, {**os.environ, **(environment or {})}
        return subprocess.Popen([*self.command, *command], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=own)

    def job(self, request: object) -> tuple[int, list[dict[str, Any]]]:
        """Exit status and events of a job whose standard input stays open."""
        process = self.start("job")
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        events = [json.loads(line) for line in process.stdout]
        status = process.wait(HANG)
        process.stdin.close()
        return status, events

    def hang(self) -> subprocess.Popen[bytes]:
        """A job in the middle of its prompt."""
        process = self.start("job")
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps({"prompt": {"1": {"class_type": "Hang"}}}).encode() + b"\n")
        process.stdin.flush()
        for line in process.stdout:
            if json.loads(line)["event"] == "executing":
                break
        return process

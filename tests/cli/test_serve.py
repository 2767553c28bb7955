"""`pycomfy serve`, as the program that it is: real requests over a real socket."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pycomfy.server.studio_files import FOLDER
from tests.support.waiting import HANG

COMMAND = [sys.executable, "-P", "-m", "pycomfy", "serve", "--no-open", "--json"]

pytestmark = pytest.mark.skipif(not (FOLDER / "index.html").is_file(), reason="the page was not built: make setup")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    environment = {**os.environ, "PYCOMFY_HOME": str(tmp_path)}
    with subprocess.Popen(
        [*COMMAND, "--port", "0"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            text += process.stdout.readline()
        yield process, json.loads(text)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=HANG)


def test_it_serves_the_page_and_asks_for_its_token(served: tuple[Any, dict[str, Any]]) -> None:
    _, studio = served
    address, token = studio["address"], studio["token"]
    assert studio["url"] == f"{address}/#token={token}" and len(token) > 40
    page = httpx.get(address)
    assert page.status_code == 200 and '<div id="root">' in page.text and "<script>" not in page.text
    assert httpx.get(f"{address}/api/workflows").status_code == 401
    bearer = {"authorization": f"Bearer {token}"}
    assert httpx.get(f"{address}/api/workflows", headers=bearer).json() == []
    assert httpx.get(f"{address}/workflows/any/graph").text == page.text  # the page knows its own routes
    assert httpx.get(f"{address}/assets/nothing.js").status_code == 404


def test_it_listens_on_this_machine_alone(served: tuple[Any, dict[str, Any]]) -> None:
    port = int(served[1]["address"].rsplit(":", 1)[1])
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)} - {"127.0.0.1"}
    for address in others:
        with pytest.raises(OSError):
            socket.create_connection((str(address), port), timeout=5).close()


def test_a_port_that_is_taken_is_an_error_with_a_fix(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*COMMAND, "--port", str(port)],
            env={**os.environ, "PYCOMFY_HOME": str(tmp_path)},
            check=False,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1
    assert f"port {port} cannot be used" in done.stderr and "--port" in done.stderr

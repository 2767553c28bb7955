"""`pycomfy serve`, as the program that it is: real requests over a real socket."""

import contextlib
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
from pycomfy.services.users import add_user
from pycomfy.services.workspace import Workspace
from tests.support.waiting import HANG

COMMAND = [sys.executable, "-P", "-m", "pycomfy", "serve", "--no-open", "--json"]

pytestmark = pytest.mark.skipif(not (FOLDER / "index.html").is_file(), reason="the page was not built: make setup")


Served = tuple["subprocess.Popen[str]", dict[str, Any]]


@contextlib.contextmanager
def serving(home: Path, *options: str) -> Iterator[Served]:
    environment = {**os.environ, "PYCOMFY_HOME": str(home)}
    command = [*COMMAND, "--port", "0", *options]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            text += process.stdout.readline()
        yield process, json.loads(text)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=HANG)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as found:
        yield found


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


def test_another_address_is_for_users_with_keys_alone(tmp_path: Path) -> None:
    host = ("--host", "127.0.0.2")
    environment = {**os.environ, "PYCOMFY_HOME": str(tmp_path)}
    refused = subprocess.run([*COMMAND, *host], env=environment, check=False, capture_output=True, text=True)
    assert refused.returncode == 2 and "--host" in refused.stderr
    file = tmp_path / "users.toml"
    added = add_user(Workspace.open(tmp_path), file, "anna", "view")
    with serving(tmp_path, *host, "--auth", str(file)) as (_, studio):
        address = studio["address"]
        assert address.startswith("http://127.0.0.2:") and studio["token"] == "" and studio["url"] == f"{address}/"
        assert httpx.get(f"{address}/api/workflows").status_code == 401
        key = {"authorization": f"Bearer {added.key}"}
        assert httpx.get(f"{address}/api/session", headers=key).json()["name"] == "anna"
        assert httpx.post(f"{address}/api/workflows/example", headers=key).status_code == 403


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

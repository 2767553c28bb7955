"""A version served from its real image: without any network, for real clients, and over restarts."""

import contextlib
import json
import signal
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.stories.conftest import ROOT, Demo
from tests.support.waiting import HANG, wait_until

pytestmark = pytest.mark.story

PYCOMFY = str(ROOT / ".venv/bin/pycomfy")
OVER = ("succeeded", "failed", "canceled", "expired")


class Server:
    """A process that serves hello, and its API."""

    def __init__(self, started: "subprocess.Popen[str]", url: str, state: str) -> None:
        self.started, self.url, self.state = started, url, state

    def call(self, path: str, body: object = None, **headers: str) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json", **headers})
        with urllib.request.urlopen(request, timeout=HANG) as answer:
            return json.loads(answer.read())

    def submit(self, **inputs: object) -> str:
        return str(self.call("/v1/jobs", {"inputs": inputs})["id"])

    def wait_for(self, job: str) -> Any:
        while (found := self.call(f"/v1/jobs/{job}?wait=60"))["status"] not in OVER:
            pass
        return found

    def containers(self) -> list[str]:
        """The names of containers with this server's folder."""
        command = ["podman", "ps", "--all", "--filter", f"volume={self.state}", "--format", "{{.Names}}"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    def inspect(self, template: str) -> str:
        [name] = self.containers()
        # Podman finds a container's layers in the store that it was started from.
        started = Path("/proc").glob("[0-9]*/cmdline")
        commands = [path.read_text().split("\0") for path in started if path.exists()]
        [store] = {tuple(c[1 : c.index("run")]) for c in commands if f"--name={name}" in c and "run" in c}
        command = ["podman", *store, "container", "inspect", "--format", template, name]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@contextlib.contextmanager
def serving(demo: Demo, name: str, *options: str) -> Iterator[Server]:
    command = [PYCOMFY, "run", name, "--serve", "--port", "0", "--json", *options]
    started = subprocess.Popen(command, env=demo.environment, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    try:
        text = ""
        while not text.endswith("}\n"):
            line = started.stdout.readline()
            assert line, "it ended"
            text += line
        served = json.loads(text)
        yield Server(started, served["url"], served["state"])
        if started.poll() is None:
            started.send_signal(signal.SIGINT)
            assert started.wait(HANG) == 0
    finally:
        started.kill()
        started.wait()
        started.stdout.close()


SMALL: Mapping[str, object] = {"width": 256, "height": 256}


def test_a_job_through_the_relay_makes_a_picture_that_names_its_version(
    demo: Demo, made: Mapping[str, Any], tmp_path: Path
) -> None:
    name = made["build"]["name"]
    with serving(demo, name) as server:
        assert server.inspect("{{.HostConfig.NetworkMode}} {{.HostConfig.ReadonlyRootfs}}") == "none true"
        job = server.call("/v1/jobs", {"inputs": {**SMALL, "seed": 11}}, Prefer="wait=60")
        job = server.wait_for(job["id"])
        assert job["status"] == "succeeded" and job["inputs"]["seed"] == 11
        [output] = [file for files in job["outputs"].values() for file in files]
        with urllib.request.urlopen(output["url"]) as answer:
            data = answer.read()
        assert data.startswith(b"\x89PNG") and len(data) == output["size"]
        assert server.call(f"/api/v2/jobs/{job['id']}")["status"] == "succeeded", "both faces have it"
        printed = subprocess.run(
            [PYCOMFY, "api", name, "--lang", "openapi"], env=demo.environment, capture_output=True, check=True
        )
        assert json.loads(printed.stdout) == server.call("/openapi.json")
    picture = tmp_path / "picture.png"
    picture.write_bytes(data)
    shown = demo.pycomfy("show", str(picture))
    assert shown["version"].startswith(f"{name}@") and shown["made_by"]["inputs"]["seed"] == 11
    assert shown["made_by"]["image_digest"] == made["build"]["manifest_digest"]


def test_accepted_jobs_survive_ctrl_c_and_kill_and_end_once(demo: Demo, made: Mapping[str, Any]) -> None:
    name = made["build"]["name"]
    with serving(demo, name) as server:
        jobs = [server.submit(**SMALL, seed=seed) for seed in range(100, 106)]
        server.started.send_signal(signal.SIGINT)
        assert server.started.wait(HANG) == 0
    with serving(demo, name) as server:
        jobs += [server.submit(**SMALL, seed=seed) for seed in range(200, 206)]
        server.started.kill()
        server.started.wait()
        # Its folder is locked until its container has ended.
        wait_until(lambda: server.containers() == [])
    with serving(demo, name) as server:
        ended = [server.wait_for(job) for job in jobs]
        assert [job["status"] for job in ended] == ["succeeded"] * len(jobs)
        listed = [job["id"] for job in server.call("/v1/jobs?limit=200")["jobs"]]
        assert set(listed) >= set(jobs) and len(set(listed)) == len(listed)


def test_nothing_is_left_when_it_has_ended(demo: Demo, made: Mapping[str, Any]) -> None:
    with serving(demo, made["build"]["name"]) as server:
        assert len(server.containers()) == 1
        server.started.send_signal(signal.SIGTERM)
        assert server.started.wait(HANG) == 0
        assert server.containers() == []

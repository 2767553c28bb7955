"""Webhooks of a real container with a network, to a receiver outside of it."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import standardwebhooks

from pycomfy.adapters.containers.engine import Engine, StartableImage
from tests.stories.gateway.container import TERMINAL, Container, host_address, serving
from tests.support.http_server import RequestHandler, serve_http

pytestmark = pytest.mark.story

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
INPUTS = {"width": 256, "height": 160, "seed": 7, "title": "Told"}


@dataclass
class Receiver:
    """Takes what is signed with the secret; the first `busy` of those it answers with 500. `url` is its address for
    the container, `other` that of another receiver on this machine."""

    url: str = ""
    other: str = ""
    busy: int = 0
    taken: list[tuple[dict[str, str], Any]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, body: bytes, headers: dict[str, str]) -> int:
        with self.lock:
            try:
                event = standardwebhooks.Webhook(SECRET).verify(body, headers)
            except standardwebhooks.WebhookVerificationError:
                return 401
            self.taken.append((headers, event))
            self.busy -= 1
            status = 500 if self.busy >= 0 else 204
            self.answers.append(status)
            return status

    def handler(self) -> type[RequestHandler]:
        receiver = self

        class Handler(RequestHandler):
            def post(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(receiver.take(body, {name.lower(): value for name, value in self.headers.items()}))

        return Handler


def hashes(job: dict[str, Any]) -> set[str]:
    return {file["hash"] for files in job["outputs"].values() for file in files}


@dataclass(frozen=True)
class Hooked:
    container: Container
    receiver: Receiver

    def run(self, url: str) -> Any:
        """A job with a webhook, at its end."""
        http = self.container.http
        answer = http.post("/v1/jobs", json={"inputs": INPUTS, "webhook": {"url": url}})
        assert answer.status_code == 202, answer.text
        location = answer.headers["location"]
        self.container.until(lambda: http.get(location, params={"wait": 10}).json()["status"] in TERMINAL)
        return http.get(location).json()

    def log(self) -> str:
        return self.container.log.read_text()


@pytest.fixture(scope="module")
def hooked(engine: Engine, hello_image: StartableImage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hooked]:
    host = host_address(engine)
    receiver = Receiver()
    # The address of the machine in that network is there once the first container is.
    with (
        serve_http(receiver.handler(), host="0.0.0.0") as mine,
        serve_http(receiver.handler(), host="0.0.0.0") as other,
    ):
        receiver.url, receiver.other = (f"http://{host}:{urlsplit(at).port}/hook" for at in (mine, other))
        settings = {
            "PYCOMFY_WEBHOOK_SECRET": SECRET,
            "PYCOMFY_WEBHOOK_HOSTS": urlsplit(receiver.url).netloc,
            "PYCOMFY_WEBHOOK_HTTP": "1",
        }
        folder = tmp_path_factory.mktemp("hooked")
        with serving(engine, hello_image, folder, settings, network="bridge") as container:
            yield Hooked(container, receiver)


def test_a_webhook_that_is_answered_500_is_sent_again_as_the_same_event(hooked: Hooked) -> None:
    receiver = hooked.receiver
    receiver.busy = 1
    job = hooked.run(receiver.url)
    assert job["status"] == "succeeded", job["error"]
    hooked.container.until(lambda: hooked.container.metric('pycomfy_webhooks_total{result="delivered"}') == 1)
    assert receiver.answers == [500, 204]
    (first, told), (second, again) = receiver.taken
    assert first["webhook-id"] == second["webhook-id"] != job["id"]
    assert first["webhook-signature"].startswith("v1,")
    assert told["type"] == "job.succeeded" and told == again
    assert told["data"]["id"] == job["id"] and told["data"]["inputs"] == job["inputs"]
    assert hashes(told["data"]) == hashes(job) and len(hashes(job)) == 1
    assert hooked.container.metric('pycomfy_webhooks_total{result="retried"}') == 1


def test_what_is_not_signed_with_the_secret_is_told_apart(hooked: Hooked) -> None:
    hooked.run(hooked.receiver.url)
    hooked.container.until(lambda: hooked.receiver.answers[-1:] == [204])
    headers, _ = hooked.receiver.taken[-1]
    port = urlsplit(hooked.receiver.url).port
    sent = {name: value for name, value in headers.items() if name.startswith("webhook-")}
    unsigned = {name: value for name, value in sent.items() if name != "webhook-signature"}
    for forged in (sent, unsigned, {**unsigned, "webhook-signature": "v1,"}, {}):
        body = b'{"type": "job.succeeded", "data": {"id": "forged"}}'
        assert httpx.post(f"http://127.0.0.1:{port}/hook", content=body, headers=forged).status_code == 401
    assert SECRET.removeprefix("whsec_") not in hooked.log()


def test_a_webhook_goes_to_no_private_address_but_those_that_are_named(hooked: Hooked) -> None:
    """The ComfyUI beside it, and another port of a machine whose one port is named."""
    before = len(hooked.receiver.taken)
    refused = 'pycomfy_webhooks_total{result="retried"}'
    for url in ("http://127.0.0.1:8188/interrupt", hooked.receiver.other):
        count = hooked.container.metric(refused)
        assert hooked.run(url)["status"] == "succeeded", "that nobody can be told is no failure of the job"
        hooked.container.until(lambda count=count: hooked.container.metric(refused) > count)  # type: ignore[misc]
    assert len(hooked.receiver.taken) == before
    assert hooked.log().count("webhook not delivered") >= 2


def test_without_a_secret_a_job_with_a_webhook_is_refused(gateway: Container) -> None:
    answer = gateway.http.post("/v1/jobs", json={"inputs": INPUTS, "webhook": {"url": "https://example.com/hook"}})
    assert (answer.status_code, answer.json()["code"]) == (422, "webhooks_disabled")
    assert "PYCOMFY_WEBHOOK_SECRET" in answer.json()["detail"]

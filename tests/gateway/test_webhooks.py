"""Webhooks to a real receiver, verified by the library of Standard Webhooks."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
import trustme
from aiohttp import web

from pycomfy.gateway import webhooks
from pycomfy.gateway.assets.addresses import Trusted
from pycomfy.gateway.assets.outside import Outside
from pycomfy.gateway.jobs.model import Job, JobRequest, State, Webhook
from pycomfy.gateway.jobs.store import Delivery
from pycomfy.gateway.settings import BadSettings, read_settings
from pycomfy.gateway.webhooks import Webhooks
from tests.gateway.api.bench import Bench, open_bench

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ca = trustme.CA()


@dataclass
class Receiver:
    """Answers with each of `statuses`, then with 204."""

    port: int = 0
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[dict[str, str], bytes, str]] = field(default_factory=list)
    silent: bool = False

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.got.append((dict(request.headers), await request.read(), request.path))
        if self.silent:
            await asyncio.Event().wait()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204, headers=self.headers)

    async def until(self, count: int) -> None:
        while len(self.got) < count:
            await asyncio.sleep(0.01)


@dataclass
class Hooked:
    """A gateway, and a receiver at `url` that it trusts."""

    bench: Bench
    receiver: Receiver
    webhooks: Webhooks
    counted: list[str]

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.receiver.port}/hook"

    async def end(self, state: State = "succeeded", url: str | None = None, **webhook: Any) -> Job:
        """A job that ended in this state, and has a webhook."""
        store = self.bench.gateway.store
        hook = Webhook(url=url or self.url, **webhook)
        [job] = await store.add([JobRequest(graph={"1": {"class_type": "A"}}, webhook=hook, traceparent=TRACE)])
        await store.claim("0", lease=60)
        ended = await store.finish(job.id, 1, state)
        assert ended is not None
        return ended

    async def until_told(self) -> None:
        while await self.bench.gateway.store.untold():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = web.ServerRunner(web.Server(receiver.answer), shutdown_timeout=0.01)
    await server.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    site = web.TCPSite(server, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    receiver.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    try:
        yield receiver
    finally:
        await server.cleanup()


def hooked(
    folder: Path, use: Callable[[Hooked], Awaitable[None]], trusted: tuple[str, ...] = ("127.0.0.1",), **more: Any
) -> None:
    async def run() -> None:
        tls = ssl.create_default_context()
        ca.configure_trust(tls)
        counted: list[str] = []
        async with open_bench(folder, PYCOMFY_WEBHOOK_SECRET=SECRET) as bench, receiving() as receiver:
            assert bench.gateway.webhooks is not None
            made = replace(
                bench.gateway.webhooks,
                outside=Outside(Trusted.parse(trusted), given_tls=tls),
                count=counted.append,
                **{"pauses": (0.01,), **more},
            )
            task = asyncio.create_task(made.serve())
            try:
                await use(Hooked(bench, receiver, made, counted))
            finally:
                task.cancel()
                await asyncio.wait({task})

    asyncio.run(run())


def test_the_end_of_a_job_is_told_and_its_signature_is_good(tmp_path: Path) -> None:
    async def use(h: Hooked) -> None:
        job = await h.end()
        h.webhooks.tell(job)
        await h.until_told()
        [(headers, body, path)] = h.receiver.got
        assert path == "/hook"
        event = standardwebhooks.Webhook(SECRET).verify(body, headers)
        assert event["type"] == "job.succeeded"
        assert (event["data"]["id"], event["data"]["status"]) == (job.id, "succeeded")
        assert event["data"]["urls"]["self"] == f"/v1/jobs/{job.id}"
        assert job.id not in headers["webhook-id"] and job.id.replace("-", "") not in headers["webhook-id"]
        assert headers["traceparent"] == TRACE
        assert h.counted == ["delivered"]
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(SECRET).verify(body + b" ", headers)

    hooked(tmp_path, use)


def test_a_webhook_is_tried_again_with_the_same_id_until_it_is_taken(tmp_path: Path) -> None:
    async def use(h: Hooked) -> None:
        h.receiver.statuses = [500, 429, 302, 404]
        h.receiver.headers = {"Location": "https://127.0.0.1/elsewhere"}
        h.webhooks.tell(await h.end())
        await h.until_told()
        assert len(h.receiver.got) == 5
        assert len({headers["webhook-id"] for headers, _, _ in h.receiver.got}) == 1
        assert {path for _, _, path in h.receiver.got} == {"/hook"}, "a redirect is not followed"
        assert h.counted == ["retried"] * 4 + ["delivered"]

    hooked(tmp_path, use)


def test_what_is_gone_and_what_takes_too_long_is_given_up(tmp_path: Path) -> None:
    async def use(h: Hooked) -> None:
        h.receiver.statuses = [410]
        h.webhooks.tell(await h.end())
        await h.until_told()
        h.receiver.statuses = [500] * 1000
        h.webhooks.clock = lambda: datetime.now(UTC) + timedelta(seconds=101)
        h.webhooks.tell(await h.end())
        await h.until_told()
        assert len(h.receiver.got) == 2
        assert h.counted == ["given_up"] * 2

    hooked(tmp_path, use, limit=100)


def test_a_webhook_survives_the_end_of_the_gateway(tmp_path: Path) -> None:
    async def before(h: Hooked) -> None:
        h.receiver.silent = True
        h.webhooks.tell(await h.end())
        await h.receiver.until(1)
        ids.append(h.receiver.got[0][0]["webhook-id"])

    async def after(h: Hooked) -> None:
        # The receiver is another, and the job has the address of the first.
        [delivery] = await h.bench.gateway.store.untold()
        job = await h.bench.gateway.store.get(delivery.job)
        assert job is not None
        _, headers = await h.webhooks.sign(job)
        assert headers["webhook-id"] == ids[0]

    async def told(h: Hooked) -> None:
        await h.end()
        h.webhooks._tasks.clear()
        again = asyncio.create_task(h.webhooks.serve())  # as at the start: nobody calls `tell`
        await h.receiver.until(1)
        again.cancel()

    ids: list[str] = []
    (tmp_path / "a").mkdir()
    hooked(tmp_path / "a", before)
    hooked(tmp_path / "a", after, pauses=(60.0,))
    (tmp_path / "b").mkdir()
    hooked(tmp_path / "b", told)


def test_tries_go_on_after_a_restart_where_they_were(tmp_path: Path) -> None:
    async def use(h: Hooked) -> None:
        async def restart() -> Webhooks:
            for task in list(h.webhooks._tasks.values()):
                task.cancel()
            again = replace(h.webhooks, _tasks={})
            serving.append(asyncio.create_task(again.serve()))
            return again

        async def until_tried(tries: int) -> Delivery:
            while (delivery := (await store.untold())[0]).tries < tries:
                await asyncio.sleep(0.01)
            return delivery

        store, now, serving = h.bench.gateway.store, datetime.now(UTC), list[asyncio.Task[None]]()
        h.webhooks.clock = lambda: now
        h.receiver.statuses = [500] * 100
        h.webhooks.tell(failing := await h.end())
        await h.receiver.until(2)
        delivery = await until_tried(2)
        assert delivery.next_try is not None
        assert 240 <= (delivery.next_try - now).total_seconds() <= 360
        for _ in range(3):
            again = await restart()
            async with receiving() as other:
                again.tell(await h.end(url=f"https://127.0.0.1:{other.port}/"))
                await other.until(1)
        assert (len(h.receiver.got), (await store.untold())[0]) == (2, delivery), "it is not its time yet"
        now += timedelta(seconds=361)
        h.receiver.silent = True
        await restart()
        await h.receiver.until(3)
        delivery = await until_tried(3)
        assert (delivery.job, delivery.tries) == (failing.id, 3), "it is a try, however it ends"
        for task in serving:
            task.cancel()
        await asyncio.wait(serving)

    hooked(tmp_path, use, pauses=(0.01, 300.0))


def test_a_receiver_that_asks_for_a_longer_pause_gets_it_over_a_restart(tmp_path: Path) -> None:
    async def use(h: Hooked) -> None:
        h.receiver.statuses, h.receiver.headers = [503], {"Retry-After": "900"}
        h.webhooks.clock = lambda: now
        h.webhooks.tell(await h.end())
        while not h.counted:
            await asyncio.sleep(0.01)
        [delivery] = await h.bench.gateway.store.untold()
        assert (delivery.tries, delivery.next_try) == (1, now + timedelta(seconds=900))

    now = datetime.now(UTC).replace(microsecond=0)
    hooked(tmp_path, use, pauses=(60.0,))


def test_each_state_is_an_event_of_its_own(tmp_path: Path) -> None:
    async def use(h: Hooked) -> None:
        h.webhooks.tell(await h.end("failed", events=("succeeded",)))
        first, second = await h.end("failed"), await h.end("failed")
        h.webhooks.tell(first)
        h.webhooks.tell(second)
        await h.until_told()
        assert len({headers["webhook-id"] for headers, _, _ in h.receiver.got}) == 2
        assert {json.loads(body)["type"] for _, body, _ in h.receiver.got} == {"job.failed"}

    hooked(tmp_path, use)


def test_a_receiver_that_does_not_answer_keeps_no_other_waiting(tmp_path: Path) -> None:
    async def use(h: Hooked) -> None:
        h.receiver.silent = True
        for _ in range(30):
            h.webhooks.tell(await h.end())
        await h.receiver.until(4)
        async with receiving() as other:
            h.webhooks.tell(await h.end(url=f"https://127.0.0.1:{other.port}/"))
            await other.until(1)
        assert len(h.receiver.got) == 4, "so many at once for one host"

    hooked(tmp_path, use)


def test_webhooks_that_nobody_takes_keep_no_others_from_being_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One caller may have as many of them as there is room for."""

    async def use(h: Hooked) -> None:
        h.receiver.statuses = [500] * 100
        for _ in range(3):
            h.webhooks.tell(await h.end())
            await h.receiver.until(len(h.receiver.got) + 1)
        while h.counted != ["retried"] * 3:
            await asyncio.sleep(0.01)
        async with receiving() as other:
            h.webhooks.tell(await h.end(url=f"https://127.0.0.1:{other.port}/"))
            await other.until(1)
            await h.end(url=f"https://127.0.0.1:{other.port}/")
            again = asyncio.create_task(replace(h.webhooks, _tasks={}).serve())  # as after a restart
            await other.until(2)
            again.cancel()
        assert len(h.receiver.got) == 3, "it is not their time yet"

    monkeypatch.setattr(webhooks, "MOST", 2)
    hooked(tmp_path, use, pauses=(300.0,))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "169.254.169.254"])
def test_nothing_is_sent_to_a_private_address(tmp_path: Path, host: str) -> None:
    async def use(h: Hooked) -> None:
        h.webhooks.tell(await h.end(url=f"https://{host}:{h.receiver.port}/hook"))
        while not h.counted:
            await asyncio.sleep(0.01)
        assert h.counted == ["retried"]
        assert h.receiver.got == []

    hooked(tmp_path, use, trusted=(), pauses=(60.0,))


def test_a_webhook_is_refused_where_it_could_not_be_signed_or_sent(tmp_path: Path) -> None:
    async def run(folder: Path, url: str, **variables: str) -> tuple[int, str]:
        folder.mkdir()
        async with open_bench(folder, **variables) as bench:
            answer = await bench.client.post("/v1/jobs", json={"inputs": {}, "webhook": {"url": url}})
            return answer.status_code, answer.json().get("code", "")

    async def all_() -> None:
        secret = {"PYCOMFY_WEBHOOK_SECRET": SECRET}
        assert await run(tmp_path / "1", "https://a.test/") == (422, "webhooks_disabled")
        assert await run(tmp_path / "2", "https://a.test/", **secret) == (202, "")
        assert await run(tmp_path / "3", "http://a.test/", **secret) == (422, "invalid_request")
        assert await run(tmp_path / "4", "http://a.test/", **secret, PYCOMFY_WEBHOOK_HTTP="1") == (202, "")
        assert await run(tmp_path / "5", "https://me:pw@a.test/", **secret) == (422, "invalid_request")

    asyncio.run(all_())


@pytest.mark.parametrize("secret", ["whsec_", "x", "whsec_c2hvcnQ=", "whsec_not base64 at all, though it is long"])
def test_a_weak_or_broken_secret_is_refused_without_being_named(secret: str) -> None:
    with pytest.raises(BadSettings, match="PYCOMFY_WEBHOOK_SECRET") as e:
        read_settings({"PYCOMFY_WEBHOOK_SECRET": secret})
    assert secret == "x" or secret not in str(e.value)

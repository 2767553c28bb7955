"""Webhooks: the end of a job, told to an address as in Standard Webhooks 1.0.

Nothing is kept but what the store knows: what is in its `untold` goes on after a restart, with the same event id, after
as many tries, and not before its time.
"""

import asyncio
import contextlib
import json
import logging
import random
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import standardwebhooks

from .assets.model import AssetError
from .assets.outside import Outside
from .jobs.model import Job
from .jobs.store import Delivery, JobStore, StoreFull

log = logging.getLogger(__name__)

PAUSES = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0)
"""Seconds before a webhook is tried again, by the number of tries; the last for all others. Each ± 20 %."""

ANSWER_LIMIT = 15.0
"""Seconds for one try."""

LONGEST = 1.2 * PAUSES[-1]

AT_ONCE = 16
AT_ONCE_FOR_HOST = 4
MOST = 5000
"""Jobs whose webhooks are due soon, at the same time; all others stay in the store."""

LOOK_EVERY = 60.0

_EVENTS = uuid.UUID("4f0c1b0a-6a0f-5f0e-9f3c-2b7d8f1d5e11")
_GONE = 410


@dataclass(frozen=True)
class Told:
    """What came of one try."""

    delivered: bool
    final: bool = False
    """Whether trying again is of no use."""

    why: str = ""
    wait: float | None = None
    """Seconds that the receiver asked for."""


@dataclass
class Webhooks:
    """One for each gateway. `render` gives the typed record of a job; `count` is told `delivered`, `retried`,
    `given_up`. A webhook is given up `limit` seconds after the end of its job."""

    store: JobStore
    secret: str
    outside: Outside
    render: Callable[[Job], Awaitable[Mapping[str, Any]]]
    limit: float = 86_400
    count: Callable[[str], None] = lambda result: None
    pauses: tuple[float, ...] = PAUSES
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _hosts: dict[str, asyncio.Semaphore] = field(default_factory=dict)
    _signer: standardwebhooks.Webhook | None = None

    def __post_init__(self) -> None:
        self._signer = standardwebhooks.Webhook(self.secret) if self.secret else None

    async def serve(self) -> None:
        """Until cancelled: tell what the last process did not, and look for more now and then."""
        try:
            while True:
                try:
                    for delivery in await self.store.untold(MOST) if self._signer is not None else ():
                        if not LOOK_EVERY < self._wait(delivery) < LONGEST:
                            self._begin(delivery)
                except OSError as e:
                    log.error("webhooks: %s", e)
                await asyncio.sleep(LOOK_EVERY)
        finally:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def tell(self, job: Job) -> None:
        """Call when a job ended."""
        webhook = job.request.webhook
        if webhook is None or job.state not in webhook.events or self._signer is None:
            return
        self._begin(Delivery(job.id))

    def _begin(self, delivery: Delivery) -> None:
        if delivery.job not in self._tasks and len(self._tasks) < MOST:
            task = asyncio.create_task(self._deliver(delivery))
            self._tasks[delivery.job] = task
            task.add_done_callback(lambda _: self._tasks.pop(delivery.job, None))

    async def _deliver(self, delivery: Delivery) -> None:
        """Try until it is delivered or given up. The job is read anew for each try: it is not kept in memory. A long
        pause is left to `serve`: those that nobody takes keep no others from being told."""
        tries, pause = delivery.tries, self._wait(delivery)
        while True:
            await asyncio.sleep(pause)
            tries += 1
            pause = self.pauses[min(tries, len(self.pauses)) - 1] * random.uniform(0.8, 1.2)  # noqa: S311
            about: dict[str, object] = {"job": delivery.job, "tries": tries}
            try:
                found = await self.store.get(delivery.job)
                if found is None or found.request.webhook is None:
                    return None
                about["host"] = _host(found.request.webhook.url)
                # Before it is sent: what ends us meanwhile was a try, too.
                await self._note(delivery.job, tries, pause)
                told = await self._try(found, found.request.webhook.url)
                overdue = (self.clock() - (found.completed_at or found.created_at)).total_seconds() >= self.limit
                if told.delivered or told.final or overdue:
                    if told.delivered:
                        log.info("webhook delivered", extra=about)
                    else:
                        log.error("webhook given up: %s", told.why, extra=about)
                    self.count("delivered" if told.delivered else "given_up")
                    return await self.store.told(delivery.job)
                log.warning("webhook not delivered: %s", told.why, extra=about)
                self.count("retried")
                pause = max(pause, min(told.wait or 0, PAUSES[-1]))
                if await self._note(delivery.job, tries, pause) and pause > LOOK_EVERY:
                    return None
            except (StoreFull, OSError) as e:
                log.error("webhooks: %s", e, extra=about)

    def _wait(self, delivery: Delivery) -> float:
        """Seconds until the next try."""
        if delivery.next_try is None:
            return 0.0
        return min((delivery.next_try - self.clock()).total_seconds(), LONGEST)  # clocks jump

    async def _note(self, job: str, tries: int, pause: float) -> bool:
        """Whether it is kept: a full disk keeps no webhook from being delivered."""
        with contextlib.suppress(StoreFull):
            await self.store.tried(Delivery(job, tries, self.clock() + timedelta(seconds=pause)))
            return True
        return False

    async def _try(self, job: Job, url: str) -> Told:
        host = _host(url)
        # A receiver that does not answer must not keep others waiting.
        if host not in self._hosts and len(self._hosts) >= MOST:
            self._hosts = {name: slots for name, slots in self._hosts.items() if slots.locked()}
        async with self._hosts.setdefault(host, asyncio.Semaphore(AT_ONCE_FOR_HOST)), self._slots:
            try:
                async with asyncio.timeout(ANSWER_LIMIT):
                    return await self._send(job, url)
            except TimeoutError:
                return Told(False, why="no answer in time")
            except AssetError as e:  # of `Outside`
                return Told(False, why=str(e))
            except OSError as e:
                return Told(False, why=type(e).__name__)

    async def _send(self, job: Job, url: str) -> Told:
        body, headers = await self.sign(job)
        address = self.outside.parse(url)
        async with (
            self.outside.session(address) as session,
            self.outside.request(session, "POST", address, data=body, headers=headers) as response,
        ):
            status = response.status
            after = response.headers.get("Retry-After", "")
            wait = float(after) if re.fullmatch(r"\d{1,6}", after) else None
        if 200 <= status < 300:
            return Told(True)
        return Told(False, final=status == _GONE, why=f"it answered {status}", wait=wait)

    async def sign(self, job: Job) -> tuple[bytes, dict[str, str]]:
        """The body and the headers of one try."""
        if self._signer is None:
            raise RuntimeError("there is no secret")
        ended, now = job.completed_at or job.created_at, self.clock()
        # One id for one event, the same in each try; not the job's, which has other events, too.
        event = f"msg_{uuid.uuid5(_EVENTS, f'{job.id} {job.state} {ended.isoformat()}').hex}"
        record = await self.render(job)
        body = json.dumps({"type": f"job.{job.state}", "timestamp": ended.isoformat(), "data": record})
        headers = {
            "Content-Type": "application/json",
            "webhook-id": event,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(event, now, body),
        }
        if job.request.traceparent is not None:
            headers["traceparent"] = job.request.traceparent
        return body.encode(), headers


def _host(url: str) -> str:
    return re.sub(r"^[a-z]+://(?:[^/?#@]*@)?([^/?#]{0,260}).*", r"\1", url, flags=re.DOTALL | re.IGNORECASE).lower()

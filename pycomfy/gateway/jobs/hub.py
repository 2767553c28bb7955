"""What happens to jobs, as it happens: events in memory for the streams of both faces.

An event of a slot (progress, preview, the position in the queue) is a whole snapshot and replaces the one before. What
is kept of a job is the same for all readers, who only remember how far they have read: a slow one misses snapshots that
newer ones replaced and nothing else, and costs no memory.

A reader for whom events are missing gets a `snapshot` event for all up to now, the final status too, and is to be told
the record of the job as it is in the store. So is every new reader, and one who comes back after a restart or with an
id of which nothing is known.

Everything here belongs to one event loop.
"""

import asyncio
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .model import TERMINAL

EventType = Literal["status", "progress", "preview", "output", "snapshot"]

_ENCODED = 3
"""An event is in memory as data, and once encoded for each of two faces."""


@dataclass(frozen=True, eq=False)
class Event:
    """`id` is unique in the hub and higher than those before. `data` must not be changed. `size` is in bytes, about."""

    id: int
    name: EventType
    data: Mapping[str, Any]
    size: int = 0
    _encoded: dict[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def is_end(self) -> bool:
        """Whether it is the status of a job that is over."""
        return self.name == "status" and self.data["status"] in TERMINAL

    def encoded(self, face: str, encode: Callable[["Event"], bytes]) -> bytes:
        """Its form for `face`, which is made once for all readers."""
        if face not in self._encoded:
            made = encode(self)
            if len(self._encoded) >= _ENCODED - 1:  # a face has the host's name in it, which clients choose
                return made
            self._encoded[face] = made
        return self._encoded[face]


@dataclass(frozen=True)
class HubLimits:
    """`bytes` are of all jobs together. Beyond a limit events are forgotten: those of ended jobs first. Of so many
    `ended` jobs that nobody reads they are kept for who comes back; each takes 10 KB or more of memory."""

    jobs: int = 4000
    ended: int = 500
    bytes: int = 32 << 20
    events_of_job: int = 1000
    bytes_of_job: int = 4 << 20


class _Channel:
    """What is kept of one job: `log` in the order of ids, and the last event of each slot."""

    def __init__(self, job: str, missing: int) -> None:
        self.job = job
        self.missing = missing
        """The highest id that an event may have had that is not here."""
        self.last = missing
        self.log: list[Event] = []
        self.slots: dict[str, Event] = {}
        self.size = 0
        self.final: int | None = None
        self.readers: set[Subscription] = set()

    def put(self, event: Event, slot: str | None) -> None:
        self.last = event.id
        self.size += event.size
        if slot is None:
            self.log.append(event)
        else:
            if (before := self.slots.pop(slot, None)) is not None:
                self.size -= before.size
            self.slots[slot] = event

    def trim(self, events: int, size: int) -> None:
        """Forget the oldest of the log, but the last one never, and a snapshot that alone is too large."""
        drop = 0
        while drop < len(self.log) - 1 and (len(self.log) - drop > events or self.size > size):
            self.size -= self.log[drop].size
            drop += 1
        if drop:
            self.missing = max(self.missing, self.log[drop - 1].id)
            del self.log[:drop]
        for slot in [slot for slot, event in self.slots.items() if event.size > size]:
            self.size -= self.slots.pop(slot).size

    def clear(self) -> None:
        self.log.clear()
        self.slots.clear()
        self.size, self.missing = 0, self.last

    def after(self, seen: int) -> Event | None:
        """The first event with a higher id."""
        place = bisect_right(self.log, seen, key=lambda event: event.id)
        unseen = [event for event in self.slots.values() if event.id > seen]
        unseen += self.log[place : place + 1]
        return min(unseen, key=lambda event: event.id, default=None)


class Subscription:
    """One reader of one job's events, until it has read the last one. Use it in a `with` block, or close it."""

    def __init__(self, hub: "Hub", channel: _Channel, after: int | None) -> None:
        self._hub, self._channel = hub, channel
        self._woken: asyncio.Future[None] | None = None
        self._pending: list[Event] = []
        known = after is not None and channel.missing < after <= hub.last_id
        self._seen = after if after is not None and known else -1
        if not known:
            self._begin()
        channel.readers.add(self)

    @property
    def ended(self) -> bool:
        """Whether the job ended and all was read."""
        final = self._channel.final
        return final is not None and not self._pending and self._seen >= final

    async def read(self, timeout: float | None = None) -> Event | None:
        """The next event. None if it is over (`ended`), or if there was none for `timeout` seconds."""
        while (event := self._next()) is None and not self.ended:
            self._woken = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(timeout):
                    await self._woken
            except TimeoutError:
                return None
            finally:
                self._woken = None
        return event

    async def __aiter__(self) -> AsyncIterator[Event]:
        while (event := await self.read()) is not None:
            yield event

    def wake(self) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def close(self) -> None:
        self._channel.readers.discard(self)
        self._hub.left(self._channel.job)

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self) -> None:
        """Go on from now, after the record as it is and, if it goes on, the last progress and preview.

        The last of these has the id of the last event: who comes back with it has them all. Those before have an id of
        which nothing is known: who comes back with it begins again.
        """
        now = max(self._channel.last, self._channel.missing)
        slots = ("progress", "preview") if self._channel.final is None else ()
        latest = (self._channel.slots.get(slot) for slot in slots)
        told = [Event(0, "snapshot", {}), *(event for event in latest if event)]
        ids = [*[self._channel.missing] * (len(told) - 1), now]
        self._pending = [Event(n, event.name, event.data, event.size) for n, event in zip(ids, told, strict=True)]
        self._seen = now

    def _next(self) -> Event | None:
        if self._seen < self._channel.missing:  # also if that was not read yet which stood for what was missing before
            self._begin()
        if self._pending:
            return self._pending.pop(0)
        event = self._channel.after(self._seen)
        if event is not None:
            self._seen = event.id
        return event


class Hub:
    """The events of all jobs. Ids begin at the time of day in microseconds: they rise over restarts of the gateway."""

    def __init__(self, limits: HubLimits | None = None, now: Callable[[], float] = time.time) -> None:
        self._limits = limits or HubLimits()
        self._channels: OrderedDict[str, _Channel] = OrderedDict()
        """Those that were last published to are last."""
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._unread: OrderedDict[str, None] = OrderedDict()
        """Jobs that ended and that nobody read when they did, or when the last reader went."""
        self.last_id = int(now() * 1_000_000)
        self.size = 0

    def publish(
        self, job: str, name: EventType, data: Mapping[str, Any], *, slot: str | None = None, final: bool = False
    ) -> None:
        """Tell all readers of the job. `final` is for its terminal status: what comes after it is left out.

        Progress and preview have a slot of their name. Give another event one (say, "position") if it is a snapshot
        that replaces the one before it.
        """
        channel = self._channels.get(job) or self._open(job)
        if channel.final is not None:
            return
        self.last_id += 1
        event = Event(self.last_id, name, data, _ENCODED * _size(data))
        before = channel.size
        channel.put(event, slot or (name if name in ("progress", "preview") else None))
        channel.trim(self._limits.events_of_job, self._limits.bytes_of_job)
        self.size += channel.size - before
        self._channels.move_to_end(job)
        if final:
            channel.final = event.id
            self._ended[job] = None
            if not channel.readers:
                self._note_unread(job)
        self._forget(channel)
        for reader in channel.readers:
            reader.wake()

    def subscribe(self, job: str, after: int | None = None) -> Subscription:
        """Read from now on, or all that came after the event with the id `after`. Subscribe before you look at the
        record, or what happens in between is missed."""
        return Subscription(self, self._channels.get(job) or self._open(job), after)

    async def wait_for_end(self, job: str) -> None:
        """Return when the job has ended, at once if that is known. Look at the record afterwards, and before."""
        with self.subscribe(job, after=self.last_id) as subscription:
            while not subscription.ended:
                await subscription.read()

    def latest(self, job: str, slot: str = "progress") -> Mapping[str, Any] | None:
        """The data of the last event of a slot."""
        channel = self._channels.get(job)
        event = channel.slots.get(slot) if channel else None
        return event.data if event else None

    def watched(self) -> Iterator[str]:
        """The jobs that somebody reads."""
        return (job for job, channel in self._channels.items() if channel.readers)

    @property
    def readers(self) -> int:
        return sum(len(channel.readers) for channel in self._channels.values())

    def left(self, job: str) -> None:
        """A reader went: nothing is kept of a job that nothing happened to, and little of those that ended."""
        channel = self._channels.get(job)
        if channel is not None and not channel.readers:
            if not channel.log and not channel.slots:
                self._drop(channel)
            elif channel.final is not None:
                self._note_unread(job)

    def _note_unread(self, job: str) -> None:
        """Nobody reads a job that ended."""
        self._unread[job] = None
        self._unread.move_to_end(job)
        while len(self._unread) > self._limits.ended:
            oldest, _ = self._unread.popitem(last=False)
            if (channel := self._channels.get(oldest)) is not None and not channel.readers:
                self._drop(channel)

    def _open(self, job: str) -> _Channel:
        channel = self._channels[job] = _Channel(job, self.last_id)
        return channel

    def _forget(self, current: _Channel) -> None:
        while self._over() and (oldest := next(iter(self._ended), current.job)) != current.job:
            self._drop(self._channels[oldest])
        if self._over():
            for channel in [channel for channel in self._channels.values() if channel is not current]:
                self._drop(channel)
                if not self._over():
                    break

    def _over(self) -> bool:
        return self.size > self._limits.bytes or len(self._channels) > self._limits.jobs

    def _drop(self, channel: _Channel) -> None:
        """Readers get a snapshot in its stead. A job that goes on stays known as long as somebody reads it."""
        self.size -= channel.size
        channel.clear()
        self._ended.pop(channel.job, None)
        self._unread.pop(channel.job, None)
        if channel.final is not None or not channel.readers:
            self._channels.pop(channel.job, None)
        for reader in channel.readers:
            reader.wake()


def _size(value: object) -> int:
    """Bytes of memory and JSON alike, roughly."""
    kind = type(value)
    if kind is str or kind is bytes:
        return 16 + len(value)  # type: ignore[arg-type]
    if value is None or kind is int or kind is float or kind is bool:
        return 16
    if isinstance(value, Mapping):
        return 64 + sum([_size(key) + _size(item) for key, item in value.items()])
    if isinstance(value, list | tuple):
        return 32 + sum([_size(item) for item in value])
    if hasattr(value, "__dict__"):  # a model, or a dataclass
        return _size(value.__dict__)
    return 16

"""The log: a JSON object a line on standard error, and in a file where one is asked for."""

import asyncio
import json
import logging
import logging.handlers
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .log import COLOUR
from .settings import BadSettings, Settings

request_context: ContextVar[dict[str, str]] = ContextVar("request_context", default={})  # noqa: B039  never changed
"""Of the request that is being answered: `request_id`, and `trace_id` where its caller has one."""

MAX_TEXT = 16_000
MAX_LINE = 4000
"""Characters of a message or traceback, and of a line of ComfyUI's; the rest is counted."""

_LATER = 0.05
"""Seconds for which a line of the log is kept back."""

_MOST_LATER = 500

_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "context"}


class JsonFormatter(logging.Formatter):
    """`time` (UTC), `level`, `message`, `logger`, what the caller gave as `extra`, and the request's ids."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": cut(record.getMessage(), MAX_TEXT),
            "logger": record.name.removeprefix("pycomfy.").removeprefix("gateway."),
            **getattr(record, "context", request_context.get()),
        }
        line.update({k: v for k, v in vars(record).items() if k not in _USUAL and v is not None})
        if record.exc_info:
            line["traceback"] = cut(self.formatException(record.exc_info), MAX_TEXT)
        return json.dumps(line, default=str)


class LaterHandler(logging.handlers.MemoryHandler):
    """Hands lines of the event loop to `target` a moment later, so that no job waits for them; a warning, with all
    before it, at once. What comes of other threads is not kept back."""

    def __init__(self, target: logging.Handler) -> None:
        super().__init__(_MOST_LATER, logging.WARNING, target)
        self._timer: asyncio.TimerHandle | None = None

    def emit(self, record: logging.LogRecord) -> None:
        record.context = request_context.get()
        super().emit(record)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
        else:
            if self.buffer and self._timer is None:
                self._timer = loop.call_later(_LATER, self._end)

    def _end(self) -> None:
        self._timer = None
        self.flush()


def set_up(settings: Settings) -> None:
    """Raises `BadSettings` if the file cannot be written."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if settings.log_file is not None:
        try:
            settings.log_file.parent.mkdir(parents=True, exist_ok=True)
            handlers.append(
                logging.handlers.RotatingFileHandler(
                    settings.log_file, maxBytes=settings.log_bytes, backupCount=settings.log_files, encoding="utf-8"
                )
            )
        except OSError as e:
            raise BadSettings(f"PYCOMFY_LOG_FILE: it cannot be written: {e.strerror}") from None
    for handler in handlers:
        handler.setFormatter(JsonFormatter())
    handlers = [LaterHandler(handler) for handler in handlers]
    logging.raiseExceptions = False  # a log that cannot be written is no reason to write about it
    logging.basicConfig(level=settings.log_level.upper(), handlers=handlers, force=True)
    for name in ("asyncio", "aiohttp", "uvicorn"):
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))


def cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more characters)"


@dataclass
class ComfyLines:
    """What ComfyUI prints, as lines of the log: at most `rate` a second, and ten times as many at once.

    `find_job` gives the job that runs in an instance, `find_secrets` what must not be in a line of it. What is left out
    is counted, and told as soon as there is room, a second later at the latest.
    """

    rate: float
    find_job: Callable[[str], str | None]
    find_secrets: Callable[[str], tuple[str, ...]] = lambda job: ()
    clock: Callable[[], float] = time.monotonic
    _level: float = 0.0
    _since: float | None = None
    _dropped: int = 0
    dropped: int = 0
    """All that were left out, for metrics."""

    def __call__(self, instance: str, line: str) -> None:
        now = self.clock()
        burst = self.rate * 10
        self._level = burst if self._since is None else min(burst, self._level + (now - self._since) * self.rate)
        self._since = now
        if self._level < 1:
            if not self._dropped:
                asyncio.get_running_loop().call_later(1.0, self.tell)
            self._dropped += 1
            self.dropped += 1
            return
        self._level -= 1
        self.tell()
        job = self.find_job(instance)
        text = COLOUR.sub("", line)
        for secret in self.find_secrets(job) if job else ():
            text = text.replace(secret, "[secret]")
        _comfyui.info("%s", cut(text, MAX_LINE), extra={"instance": instance, "job": job})

    def tell(self) -> None:
        """Say what was left out."""
        if self._dropped:
            _comfyui.warning("ComfyUI printed too much: %d lines are not here", self._dropped)
            self._dropped = 0


_comfyui = logging.getLogger("comfyui")

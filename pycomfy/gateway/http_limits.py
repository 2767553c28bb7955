"""HTTP and WebSockets as uvicorn speaks them, with limits that it lacks: of a request's head in bytes and in time, of
requests that wait for an earlier one's answer, and of answers that nobody reads."""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from .corked import CorkedTransport

HEAD_LIMIT = 30.0
"""Seconds in which a request's address and headers must be there, from the first byte of the connection or, on one
that is used again, of the request."""

LINGER = 1.0

MAX_WAITING = 16
"""Requests of one connection that wait for the answer of an earlier one; then it ends when these are answered."""

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class LimitedWebSocket(WebSocketsSansIOProtocol):
    """Answers no ping while its client does not read: pings without end would fill the memory with pongs."""

    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()  # RFC 6455, 5.5.3: the last of several pings may be answered alone


def limit_http(max_header: int) -> type[HttpToolsProtocol]:
    """The protocol for requests whose address and headers have at most so many bytes."""

    class Limited(HttpToolsProtocol):
        """Ends connections whose heads are too long (431) or do not come, or that have too many requests wait."""

        def __init__(self, config: Config, *more: Any, **named: Any) -> None:
            super().__init__(config, *more, **named)
            self._head = 0
            self._refused = False
            self._in_body = False
            self._since_body = 0
            self._timer: asyncio.TimerHandle | None = None
            self._since: float | None = None
            """When the head began that is being read."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(CorkedTransport(transport, self.loop))  # type: ignore[arg-type]
            self._begin_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._head = 1
            self._begin_head()

        def on_body(self, body: bytes) -> None:
            self._since_body = 0
            super().on_body(body)

        def on_header(self, name: bytes, value: bytes) -> None:
            if not self._in_body:  # nobody reads what comes after a body (trailers)
                super().on_header(name, value)

        def on_message_complete(self) -> None:
            self._in_body = False
            super().on_message_complete()

        def on_headers_complete(self) -> None:
            self._since = None
            self._head = 0
            if len(self.pipeline) >= MAX_WAITING:
                self._end_after_answers()
                raise ValueError("too many requests wait")  # ends the parser
            if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > max_header:
                self._refuse()
                raise ValueError("the head is too long")  # ends the parser
            self._in_body, self._since_body = True, 0
            super().on_headers_complete()

        def data_received(self, data: bytes) -> None:
            if self._refused:
                return
            before = self._head
            if self._in_body:
                self._since_body += len(data)
            super().data_received(data)
            if self._in_body and self._since_body > max_header + len(data) and not self._refused:
                # Framing and trailers without a body.
                self._stop()
                self._refused = True
                self.transport.close()
            if self._head and not self._refused:
                # Still no end of the head: all of this was of it, but for what may have been a body's end before.
                self._head = before + len(data) if before else 1
                if self._head > max_header:
                    self._refuse()

        def send_400_response(self, msg: str) -> None:
            if self._refused:
                return
            if self._owes_answer():
                self._end_after_answers()
            else:
                super().send_400_response(msg)

        def _owes_answer(self) -> bool:
            """Whether an answer comes before that to what is being read: nothing may be sent in front of it, or within
            it."""
            cycle = self.cycle
            is_done = cycle is None or cycle.response_complete
            return not is_done and (cycle.response_started or not self._in_body or bool(self.pipeline))

        def _end_after_answers(self) -> None:
            """Read no more, and end the connection with the answer to the last request that was taken."""
            self._stop()
            self._refused = True
            self.cycle.keep_alive = False

        def _refuse(self) -> None:
            if self._owes_answer():
                self._end_after_answers()
                return
            self._stop()
            self._refused = True
            self.transport.write(_TOO_LARGE)
            # Closed at once, with something unread, the answer would be lost on the way.
            self._timer = self.loop.call_later(LINGER, self.transport.close)

        def _begin_head(self) -> None:
            self._since = self._since or self.loop.time()
            if self._timer is None:
                self._timer = self.loop.call_later(HEAD_LIMIT, self._look)

        def _look(self) -> None:
            """End the connection if the head did not come in time. One timer serves many requests, one after another:
            to make and cancel one for each takes longer than to look again."""
            self._timer = None
            if self._since is None:
                return
            left = self._since + HEAD_LIMIT - self.loop.time()
            if left <= 0:
                self.transport.close()
            else:
                self._timer = self.loop.call_later(left, self._look)

        def _stop(self) -> None:
            self._since = None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    return Limited

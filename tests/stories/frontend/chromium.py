"""A headless Chromium, driven through its debugging pipe: one page, in which JavaScript runs and answers with JSON."""

import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--window-size=640,480",
    "--no-default-browser-check",
    "--remote-debugging-pipe",
)


class BrowserError(AssertionError):
    """The page threw, the browser refused, or nothing came in time."""


class Page:
    """The page of a running browser. Messages are JSON with a zero byte at the end."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._rest = bytearray()
        self._number = 0
        self._session: str | None = None

    def open(self, url: str) -> None:
        """Go to `url`, in a new tab."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.navigate", url=url)

    def wait_for(self, expression: str, limit: float) -> None:
        """Return once the expression is true; it may throw until then."""
        deadline = time.monotonic() + limit
        while not self.evaluate(f"(() => {{ try {{ return !!({expression}) }} catch {{ return false }} }})()"):
            if time.monotonic() > deadline:
                raise BrowserError(f"not true within {limit:.0f} s: {expression}")
            time.sleep(0.1)

    def run(self, function: str, *arguments: object) -> Any:
        """The result of a JavaScript function, awaited. Raises `BrowserError` if it throws."""
        # What JSON can say, JavaScript reads the same.
        return self.evaluate(f"({function})({', '.join(map(json.dumps, arguments))})")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    def call(self, method: str, **parameters: object) -> Any:
        """The answer to one command of the DevTools protocol; events are passed over."""
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        data = memoryview(json.dumps(message).encode() + b"\0")
        while data:
            data = data[os.write(self._commands, data) :]
        while True:
            answer = self._receive(120)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def _receive(self, limit: float) -> Any:
        while (end := self._rest.find(b"\0")) < 0:
            ready, _, _ = select.select([self._answers], [], [], limit)
            data = os.read(self._answers, 1 << 20) if ready else b""
            if not data:
                raise BrowserError("the browser is gone" if ready else f"the browser said nothing for {limit:.0f} s")
            self._rest += data
        message = self._rest[:end]
        del self._rest[: end + 1]
        return json.loads(message)


def find_chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


@contextlib.contextmanager
def browsing(program: str, profile: Path) -> Iterator[Page]:
    """A browser of its own, with nothing remembered; it ends with the block."""
    ours_read, theirs_write = os.pipe()
    theirs_read, ours_write = os.pipe()
    # Chromium reads commands from descriptor 3 and answers on 4; only a shell puts them there safely.
    plumbing = f'exec "$@" 3<&{theirs_read} 4>&{theirs_write}'
    # Chromium's sandbox refuses root.
    sandbox = ["--no-sandbox"] if os.getuid() == 0 else []
    command = ["bash", "-c", plumbing, "bash", program, *FLAGS, *sandbox, f"--user-data-dir={profile}"]
    with (profile.parent / "chromium.log").open("wb") as log:
        browser = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(theirs_read, theirs_write)
        )
    os.close(theirs_read)
    os.close(theirs_write)
    try:
        yield Page(ours_write, ours_read)
    finally:
        os.close(ours_write)
        try:
            browser.wait(10)
        except subprocess.TimeoutExpired:
            browser.kill()
            browser.wait()
        os.close(ours_read)

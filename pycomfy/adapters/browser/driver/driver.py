"""Ask the editor of the image what it sends for a workflow: start ComfyUI, open its page in Chromium, load, queue.

pycomfy mounts this folder into a container of the image and runs it with the image's Python; it is in no image, and has
nothing but the standard library and the image's gateway. A request is one line of JSON on standard input,
`{"workflows": [workflow, …], "moments": [{"seed", "time"}, …]}`; the answers are one line each on standard output, in
that order: `{"prompts": [a prompt or null for each moment], "errors": [text], "dialogs": [text]}` or `{"error": text}`.
ComfyUI's log and the browser's go to standard error. When standard input ends, so does this.
"""

import asyncio
import contextlib
import fcntl
import importlib
import json
import os
import select
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BROWSER = Path("/run/browser")
PROGRAM = "usr/lib/chromium/chromium-headless-shell"
GATEWAY = "/opt/pycomfy"

READY_LIMIT = 180.0
ANSWER_LIMIT = 180.0
SETTLING = 1.0
MOST_BYTES = 256 << 20
"""The longest message that is taken from the browser."""

FLAGS = (
    "--headless",
    # Chromium's own sandbox needs rights that the container does not have; the container is the sandbox.
    "--no-sandbox",
    "--no-zygote",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-background-networking",
    # /dev/shm may be small, or missing.
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-first-run",
    "--no-default-browser-check",
    "--window-size=1280,960",
    "--lang=en-US",
    "--remote-debugging-pipe",
)

READY = """(() => { try {
  return !!window.app?.graph && !!window.app.canvas && window.app.vueAppReady !== false
    && Object.keys(LiteGraph.registered_node_types).length >= %d;
} catch { return false } })()"""


class BrowserError(Exception):
    """The page threw, the browser refused, or nothing came in time."""


class Browser:
    """Chromium with one page, over its debugging pipe: JSON messages that end with a zero byte."""

    def __init__(self, profile: Path) -> None:
        theirs_read, self._commands = os.pipe()
        self._answers, theirs_write = os.pipe()
        # Chromium reads from descriptor 3 and writes to 4. Ours are moved away from these first.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs_read, theirs_write)]
        actions = [(os.POSIX_SPAWN_DUP2, ends[0], 3), (os.POSIX_SPAWN_DUP2, ends[1], 4), (os.POSIX_SPAWN_DUP2, 2, 1)]
        program = str(BROWSER / PROGRAM)
        command = [program, *FLAGS, f"--user-data-dir={profile}"]
        self.pid = os.posix_spawn(program, command, browser_environment(), file_actions=actions)
        for end in (theirs_read, theirs_write, *ends):
            os.close(end)
        self._rest = bytearray()
        self._number = 0
        self._session: str | None = None
        self._context = ""

    def open(self, url: str) -> None:
        """Go to `url` in a tab that knows nothing of those before, which are closed."""
        if self._session is not None:
            self._session = None
            self.call("Target.disposeBrowserContext", browserContextId=self._context)
        self._context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=self._context)["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Page.navigate", url=url)

    def wait_for(self, expression: str, limit: float) -> None:
        """Return once the expression is true."""
        deadline = time.monotonic() + limit
        while not self.evaluate(expression):
            if time.monotonic() > deadline:
                shown = self.evaluate("document.body?.innerText ?? ''")
                raise BrowserError(f"the editor was not ready within {limit:.0f} s; it shows: {str(shown)[:500]}")
            time.sleep(0.1)

    def evaluate(self, expression: str, limit: float = ANSWER_LIMIT) -> Any:
        """The value of a JavaScript expression, awaited. Raises `BrowserError` if it throws."""
        answer = self.call("Runtime.evaluate", limit, expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(str(details.get("exception", {}).get("description") or details["text"])[:2000])
        return answer["result"].get("value")

    def call(self, method: str, limit: float = 60, /, **parameters: object) -> Any:
        """The answer to one command of the DevTools protocol; dialogs of the page are dismissed."""
        number = self._send(method, parameters)
        deadline = time.monotonic() + limit
        while True:
            answer = self._receive(deadline)
            if answer.get("method") == "Page.javascriptDialogOpening":
                # alert() and its kind stop the page until somebody answers.
                print(f"the page asks: {str(answer.get('params', {}).get('message'))[:500]}", file=sys.stderr)
                self._send("Page.handleJavaScriptDialog", {"accept": True})
            if answer.get("id") == number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error'].get('message')}")
                return answer["result"]

    def _send(self, method: str, parameters: "dict[str, object]") -> int:
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        data = memoryview(json.dumps(message).encode() + b"\0")
        while data:
            data = data[os.write(self._commands, data) :]
        return self._number

    def _receive(self, deadline: float) -> Any:
        while (end := self._rest.find(b"\0")) < 0:
            left = deadline - time.monotonic()
            ready = left > 0 and select.select([self._answers], [], [], left)[0]
            if not ready:
                raise BrowserError("the editor did not answer in time")
            data = os.read(self._answers, 1 << 20)
            if not data:
                raise BrowserError("the browser ended")
            self._rest += data
            if len(self._rest) > MOST_BYTES:
                raise BrowserError("the editor's answer is too long")
        message = self._rest[:end]
        del self._rest[: end + 1]
        return json.loads(message)


def browser_environment() -> "dict[str, str]":
    """The variables with which Chromium finds its shared libraries and fonts below its folder."""
    # Some packages keep shared libraries in a folder of their own, which is compiled in where it usually is.
    folders = [
        one for top in sorted((BROWSER / "usr/lib").glob("*-linux-gnu")) for one in (top, *sorted(top.iterdir()))
    ]
    libraries = [str(one) for one in folders if one.is_dir() and any(one.glob("lib*.so*"))]
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",  # noqa: S108
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "LD_LIBRARY_PATH": ":".join(libraries),
        "FONTCONFIG_FILE": str(HERE / "fonts.conf"),
        "XDG_CACHE_HOME": "/tmp/browser-cache",  # noqa: S108
        "DBUS_SESSION_BUS_ADDRESS": "disabled:",
    }


def ask_pages(port: int, types: int, request: "dict[str, Any]", answer: "Callable[[Any], None]") -> None:
    """Pass what the editor answers for each workflow to `answer`."""
    script = (HERE / "editor.js").read_text(encoding="utf-8")
    code = script[script.index("async (") :].rstrip()
    moments = json.dumps(request["moments"])
    browser = Browser(Path("/tmp/browser"))  # noqa: S108
    for workflow in request["workflows"]:
        try:
            browser.open(f"http://127.0.0.1:{port}/")
            browser.wait_for(READY % types, READY_LIMIT)
            # The editor opens a workflow of its own when it is ready.
            time.sleep(SETTLING)
            answer(browser.evaluate(f"({code})({json.dumps(workflow)}, {moments})"))
        except BrowserError as e:
            answer({"error": str(e)[:4000]})


async def run(request: "dict[str, Any]", answer: "Callable[[Any], None]") -> None:
    """Start ComfyUI with the image's own gateway, and ask its page."""
    sys.path.insert(0, GATEWAY)
    # The image's, not the one that is installed beside this file: an image is started as it starts itself.
    places = importlib.import_module("gateway.places").Places()
    running = importlib.import_module("gateway.server").running
    with contextlib.suppress(ModuleNotFoundError):  # images of before run the ComfyUI that is in them
        places = importlib.import_module("gateway.installation").prepare(places)
    async with running(places, cpu=True, on_line=lambda line: print(line, file=sys.stderr)) as server:
        await server.wait_until_ready()
        types = await server.api.get("/object_info", timeout=300)
        await asyncio.to_thread(ask_pages, places.port, len(types), request, answer)


def watch() -> None:
    """End when standard input does: whoever asked is gone."""
    while os.read(0, 1 << 16):
        pass
    os._exit(1)


def main() -> int:
    """Answer one request. Exit status 1 if ComfyUI or the browser did not start."""
    out = os.dup(1)
    os.dup2(2, 1)
    line = bytearray()
    while not line.endswith(b"\n"):
        data = os.read(0, 1 << 20)
        if not data:
            return 1
        line += data
    threading.Thread(target=watch, daemon=True).start()
    with os.fdopen(out, "w", encoding="utf-8") as answers:

        def answer(result: object) -> None:
            answers.write(json.dumps(result) + "\n")
            answers.flush()

        status = 0
        try:
            asyncio.run(run(json.loads(line), answer))
        except Exception as e:  # noqa: BLE001  whatever it is, the reader must hear of it
            print(f"{type(e).__name__}: {e}"[:4000], file=sys.stderr)
            status = 1
        sys.stderr.flush()
        # The browser may not want to end; the container does.
        os._exit(status)


if __name__ == "__main__":
    sys.exit(main())

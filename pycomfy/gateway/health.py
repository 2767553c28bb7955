"""`health`: whether the API answers, for the image's HEALTHCHECK."""

import http.client
import os
import socket

from .places import Places

LIMIT = 5.0


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=LIMIT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(LIMIT)
        self.sock.connect(self._path)


def run(places: Places) -> int:
    """Exit status 0 if it answers within five seconds, else 1. A queue that is full is healthy."""
    path = os.environ.get("PYCOMFY_SOCKET")
    port = int(os.environ.get("PYCOMFY_PORT") or 8000)
    connection = _Unix(path) if path else http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    try:
        connection.request("GET", "/livez")
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, http.client.HTTPException):
        return 1
    finally:
        connection.close()

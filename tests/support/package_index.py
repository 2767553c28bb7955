"""A Python package index on this machine, with wheels made for the test: uv is real, the packages are tiny."""

import base64
import contextlib
import hashlib
import io
import json
import re
import tomllib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from packaging.utils import canonicalize_name

from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.core.python.gateway_pins import FILE, parse_gateway_pins
from tests.support.http_server import RequestHandler, serve_http

ROOT = Path(__file__).parents[2]
_OF_IMAGES = re.compile(r"-(py3-none|cp3(11|13)-(cp3(11|13)|abi3))-(any|manylinux.*_(x86_64|aarch64))\.whl$")


@cache
def gateway_files() -> dict[str, dict[str, dict[str, object]]]:
    """What a public index says of the files that the gateway needs in images. `lock` fetches none of them."""
    pins = parse_gateway_pins(read_toolkit().gateway[FILE].decode())
    found: dict[str, dict[str, dict[str, object]]] = {}
    for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]:
        if package["name"] not in pins.hashes:
            continue
        metadata = f"Metadata-Version: 2.1\nName: {package['name']}\nVersion: {package['version']}\n"
        for wheel in package["wheels"]:
            filename = wheel["url"].rpartition("/")[2]
            if _OF_IMAGES.search(filename):
                found.setdefault(package["name"], {})[filename] = {
                    "filename": filename,
                    "url": f"../../files/{filename}",
                    "hashes": {"sha256": wheel["hash"].removeprefix("sha256:")},
                    "size": wheel["size"],
                    "upload-time": wheel["upload-time"],
                    "core-metadata": True,
                    "metadata": metadata,
                }
    return found


@dataclass
class Index:
    """`url` is what `UV_DEFAULT_INDEX` wants. With `password`, the index answers user `me` only."""

    password: str = ""
    url: str = ""
    files: dict[str, dict[str, dict[str, object]]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add(
        self,
        name: str,
        version: str,
        *,
        needs: Sequence[str] = (),
        tags: Sequence[str] = ("py3-none-any",),
        uploaded: str | None = "2025-01-01T00:00:00Z",
        files: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Add a version: a wheel for each of `tags`; without tags, only a source."""
        page, name = name, name.rpartition("/")[2]
        names = [f"{name.replace('-', '_')}-{version}-{tag}.whl" for tag in tags] or [f"{name}-{version}.tar.gz"]
        for filename in names:
            self.put(page, filename, make_wheel(name, version, needs, files) if tags else b"a source", uploaded)

    def put(self, page: str, filename: str, data: bytes, uploaded: str | None = "2025-01-01T00:00:00Z") -> None:
        """Add a file to the page of a package."""
        self.contents[filename] = data
        self.files.setdefault(page, {})[filename] = {
            "filename": filename,
            "url": ("../" if "/" in page else "") + f"../../files/{filename}",
            "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
            "size": len(data),
            **({"upload-time": uploaded} if uploaded else {}),
        }


def make_wheel(name: str, version: str, needs: Sequence[str], files: Sequence[tuple[str, str]]) -> bytes:
    buffer = io.BytesIO()
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    requires = "".join(f"Requires-Dist: {need}\n" for need in needs)
    contents = {
        **dict(files),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(buffer, "w") as wheel:
        for path, text in contents.items():
            wheel.writestr(zipfile.ZipInfo(path), text)
        rows = [f"{path},sha256={_b64(text)},{len(text.encode())}\n" for path, text in contents.items()]
        wheel.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "".join(rows) + f"{info}/RECORD,,\n")
    return buffer.getvalue()


def _b64(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@contextlib.contextmanager
def serve(password: str = "") -> Iterator[Index]:
    """Serve an index until the block ends. A name in front of `/simple`, as in `/cu128/simple`, has packages of its
    own: those that were added as `cu128/torch`. It has the gateway's packages too, unless others were added by
    their names."""
    index = Index(password)

    class Handler(RequestHandler):
        def answer_page(self, name: str, files: Mapping[str, Mapping[str, object]]) -> None:
            page = {"meta": {"api-version": "1.1"}, "name": name, "files": list(files.values()), "versions": []}
            self.answer(200, json.dumps(page).encode(), {"Content-Type": "application/vnd.pypi.simple.v1+json"})

        def get(self) -> None:
            expected = "Basic " + base64.b64encode(f"me:{password}".encode()).decode()
            if password and self.headers.get("Authorization") != expected:
                self.answer(401, b"", {"WWW-Authenticate": "Basic"})
                return
            parts = self.path.strip("/").split("/")
            variant = ""
            if len(parts) > 2 and parts[1] == "simple":
                variant, *parts = parts
            name = "/".join([*filter(None, [variant]), *parts[1:2]])
            if parts[0] == "simple":
                index.asked.append(name)
            if parts[0] == "simple" and name in index.files:
                self.answer_page(parts[1], index.files[name])
            elif parts[0] == "simple" and name in gateway_files():
                self.answer_page(name, gateway_files()[name])
            elif parts[0] == "files" and parts[1].endswith(".whl.metadata"):
                wheels = gateway_files().get(canonicalize_name(parts[1].partition("-")[0]), {})
                entry = wheels.get(parts[1].removesuffix(".metadata"), {})
                self.answer(200, str(entry["metadata"]).encode()) if entry else self.answer(404)
            elif parts[0] == "files" and parts[1] in index.contents:
                self.answer(200, index.contents[parts[1]], {"Content-Type": "application/octet-stream"})
            else:
                self.answer(404)

    user = f"me:{password}@" if password else ""
    with serve_http(Handler) as address:
        index.url = f"{address.replace('://', f'://{user}')}/simple"
        yield index

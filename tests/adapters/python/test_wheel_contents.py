"""What wheels have, asked of a server that sends parts of files, and of one that does not."""

import io
import secrets
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.python.wheel_contents import read_files, read_modules
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.core.python.wheel_clashes import COMMANDS
from tests.support.debian_archive import sha256
from tests.support.http_server import RequestHandler, serve_http


@dataclass
class Server:
    url: str = ""
    ranges: bool = True
    files: dict[str, bytes] = field(default_factory=dict)
    sent: int = 0


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()

    class Handler(RequestHandler):
        def get(self) -> None:
            data = made.files.get(self.path.lstrip("/"))
            wanted = self.headers.get("Range", "").removeprefix("bytes=")
            status = 404 if data is None else 206 if wanted and made.ranges else 200
            data = data or b""
            if made.ranges and wanted.startswith("-"):
                data = data[-int(wanted[1:]) :]
            elif made.ranges and wanted:
                data = data[int(wanted.partition("-")[0]) :]
            made.sent += len(data)
            self.answer(status, data)

    with serve_http(Handler) as made.url:
        yield made


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "data", tmp_path / "cache")


def wheel(server: Server, name: str, *files: str, filler: int = 0) -> Wheel:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("filler.bin", b"x" * filler)
        for path in files:
            archive.writestr(path, "")
    data = made.getvalue()
    filename = f"{name}-1.0-py3-none-any.whl"
    server.files[filename] = data
    return Wheel(
        name=name, version="1.0", filename=filename, url=f"{server.url}/{filename}", sha256=sha256(data), size=len(data)
    )


def test_only_the_list_of_files_is_fetched_and_only_once(server: Server, paths: Paths) -> None:
    wheels = [
        wheel(server, "big", "big/__init__.py", "big/inner/deep.py", "big/_c.cpython-311-x86_64-linux-gnu.so",
              "big-1.0.data/purelib/beside.py", "big-1.0.dist-info/METADATA", filler=3_000_000),
        wheel(server, "many", *(f"many/m{i:05}.py" for i in range(3000))),
    ]  # fmt: skip
    modules, unread = read_modules(wheels, paths)
    assert {"big", "big.inner", "big._c", "beside", "many", "many.m02999"} <= modules
    assert not unread and not {"filler", "big-1"} & modules
    assert server.sent < 1_000_000
    sent = server.sent
    assert read_modules(wheels, paths) == (modules, ()) and server.sent == sent


def test_a_small_wheel_of_a_server_without_ranges_is_fetched_whole_and_a_large_one_is_not(
    server: Server, paths: Paths
) -> None:
    server.ranges = False
    wheels = [wheel(server, "small", "small.py"), wheel(server, "large", "large.py", filler=6_000_000)]
    assert read_modules(wheels, paths) == (frozenset({"small"}), ("large",))


def test_what_is_gone_or_no_wheel_is_told_and_harms_nothing(server: Server, paths: Paths) -> None:
    wheels = [wheel(server, name, f"{name}.py") for name in ("gone", "broken", "good")]
    del server.files[wheels[0].filename]
    server.files[wheels[1].filename] = b"PK\5\6" + b"\xff" * 40
    assert read_modules(wheels, paths) == (frozenset({"good"}), ("gone", "broken"))


def test_a_wheel_that_is_on_this_machine_is_not_fetched(server: Server, paths: Paths) -> None:
    made = wheel(server, "here", "here.py")
    place = paths.cache / "sha256" / made.sha256[:2] / made.sha256
    place.parent.mkdir(parents=True)
    place.write_bytes(server.files.pop(made.filename))
    assert read_modules([made], paths) == (frozenset({"here"}), ())


def test_a_wheel_of_a_folder_is_named_by_its_path(server: Server, paths: Paths, tmp_path: Path) -> None:
    made = wheel(server, "mine", "mine.py")
    (tmp_path / made.filename).write_bytes(server.files.pop(made.filename))
    local = made.model_copy(update={"url": str(tmp_path / made.filename)})
    assert read_modules([local], paths) == (frozenset({"mine"}), ())


def with_entry_points(server: Server, name: str, text: str, compression: int = zipfile.ZIP_DEFLATED) -> Wheel:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{name}-1.0.dist-info/entry_points.txt", text)
        archive.writestr("filler.bin", secrets.token_bytes(200_000), zipfile.ZIP_STORED)
    data = made.getvalue()
    filename = f"{name}-1.0-py3-none-any.whl"
    server.files[filename] = data
    return Wheel(
        name=name, version="1.0", filename=filename, url=f"{server.url}/{filename}", sha256=sha256(data), size=len(data)
    )


def test_commands_with_names_that_are_none_are_passed_over(server: Server, paths: Paths) -> None:
    text = "[console_scripts]\ngood = a:b\n../../lib/x = a:b\n.. = a:b\na/b = a:b\n\x1b[2J = a:b\n"
    files = read_files([with_entry_points(server, "a", text)], paths)["a"]
    assert files is not None
    assert [f.place for f in files if f.made] == [COMMANDS + "good"]


def test_a_wheel_that_cannot_be_unpacked_is_passed_over(server: Server, paths: Paths, tmp_path: Path) -> None:
    """An encrypted list of commands, and a damaged one by LZMA, ended the lock with an exception."""
    encrypted = with_entry_points(server, "a", "[console_scripts]\nx = a:b\n")
    damaged = with_entry_points(server, "b", "[console_scripts]\nx = a:b\n", zipfile.ZIP_LZMA)
    local = []
    for one in (encrypted, damaged):
        data = bytearray(server.files.pop(one.filename))
        entry = data.index(b"entry_points.txt")
        if one is encrypted:
            for header, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
                data[data.rindex(header, 0, data.rindex(b"entry_points.txt") if at == 8 else entry) + at] |= 1
        else:
            data[entry + 16 + 9 : entry + 16 + 30] = b"\xff" * 21
        (tmp_path / one.filename).write_bytes(data)
        local.append(one.model_copy(update={"url": str(tmp_path / one.filename)}))
    assert read_files(local, paths) == {"a": None, "b": None}


def test_a_list_of_commands_that_unpacks_to_more_than_it_says_is_none(server: Server, paths: Paths) -> None:
    made = with_entry_points(server, "a", "[console_scripts]\nx = a:b\n" + "#" * 60_000)
    data = bytearray(server.files[made.filename])
    at = data.rindex(b"PK\1\2", 0, data.rindex(b"entry_points.txt")) + 24
    data[at : at + 4] = (30).to_bytes(4, "little")
    server.files[made.filename] = bytes(data)
    files = read_files([made], paths)["a"]
    assert files is not None and not [f for f in files if f.made]

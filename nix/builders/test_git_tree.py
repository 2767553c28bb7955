"""A tree comes from a forge's archive; large files take the place of their pointers, or none does."""

import hashlib
import io
import json
import os
import tarfile
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from unittest import mock

from git_tree import fetch, fill_large, find_certificates, unpack
from member import Refused

LARGE = b"weights" * 1000
SHA256 = hashlib.sha256(LARGE).hexdigest()
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{SHA256}\nsize {len(LARGE)}\n".encode()
FILES = {
    ".gitattributes": b"*.bin filter=lfs -text\n",
    "a.py": b"x = 1\n",
    "w/a.bin": POINTER,
    "w/small.bin": b"no pointer",
}


class Forge(BaseHTTPRequestHandler):
    objects: ClassVar[dict[str, bytes]] = {SHA256: LARGE}

    def do_GET(self) -> None:
        if self.path == "/o/r/archive/" + "1" * 40 + ".tar.gz":
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
                for name, data in FILES.items():
                    entry = tarfile.TarInfo(f"r-1/{name}")
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))
            self._answer(200, buffer.getvalue())
        elif self.path.startswith("/objects/") and self.headers.get("X-Ticket") == "yes":
            self._answer(200, self.objects[self.path.rsplit("/", 1)[-1]])
        else:
            self._answer(404, b"")

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        address = f"http://{self.headers['Host']}/objects/"
        answers = [
            {**o, "actions": {"download": {"href": address + o["oid"], "header": {"X-Ticket": "yes"}}}}
            for o in question["objects"]
            if o["oid"] in self.objects and self.path == "/o/r.git/info/lfs/objects/batch"
        ]
        self._answer(200, json.dumps({"objects": answers}).encode())

    def _answer(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None: ...


class GitTreeTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = Path(folder.name, "out")
        server = ThreadingHTTPServer(("127.0.0.1", 0), Forge)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_address[1]}/o/r"
        self.addCleanup(setattr, Forge, "objects", Forge.objects)

    def test_large_files_take_the_place_of_their_pointers(self) -> None:
        fetch(self.url, "1" * 40, self.out)
        self.assertEqual((self.out / "w/a.bin").read_bytes(), POINTER)
        fill_large(self.url + ".git", self.out)
        self.assertEqual((self.out / "w/a.bin").read_bytes(), LARGE)
        self.assertEqual((self.out / "w/small.bin").read_bytes(), b"no pointer")
        self.assertEqual([p.name for p in self.out.parent.iterdir()], ["out"])

    def test_a_large_file_that_is_not_there_or_another_is_refused(self) -> None:
        for objects, words in (({}, "does not say where"), ({SHA256: b"else"}, "not what its pointer says")):
            Forge.objects = objects
            self.out = self.out.with_name(self.out.name + "x")
            fetch(self.url, "1" * 40, self.out)
            with self.assertRaisesRegex(Refused, words) as refusal:
                fill_large(self.url, self.out)
            self.assertIn("w/a.bin", str(refusal.exception))

    def test_nothing_is_written_by_way_of_a_link(self) -> None:
        victim = self.out.parent / "victim"
        victim.mkdir()
        (victim / "x").write_bytes(b"kept")
        for name, target in (("x", str(victim / "x")), ("d", str(victim)), ("x", "../victim/x")):
            archive, out = self.out.parent / "a.tar", self.out.with_name(self.out.name + "x")
            with tarfile.open(archive, "w") as tar:
                link = tarfile.TarInfo(f"r-1/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, target
                tar.addfile(link)
                entry = tarfile.TarInfo("r-1/x" if name == "x" else "r-1/d/x")
                entry.size = 4
                tar.addfile(entry, io.BytesIO(b"evil"))
            self.out = out
            out.mkdir()
            with self.assertRaisesRegex(Refused, "behind a link"):
                unpack(archive, out)
            self.assertEqual((victim / "x").read_bytes(), b"kept")

    def test_the_certificates_are_those_that_nix_has_or_those_of_the_own_debian(self) -> None:
        root = self.out.parent / "root"
        bundle, given = root / "etc/ssl/certs/ca-certificates.crt", root / "given.crt"
        bundle.parent.mkdir(parents=True)
        bundle.touch()
        given.touch()
        with mock.patch("sys.prefix", str(root / "usr")), mock.patch.dict("os.environ"):
            os.environ.pop("NIX_SSL_CERT_FILE", None)
            self.assertEqual(find_certificates(), str(bundle))
            os.environ["NIX_SSL_CERT_FILE"] = str(given)
            self.assertEqual(find_certificates(), str(given))
            given.unlink()
            self.assertEqual(find_certificates(), str(bundle), "a sandbox does not have that file")
            bundle.unlink()
            self.assertIsNone(find_certificates())

    def test_without_an_attribute_a_pointer_is_a_text(self) -> None:
        fetch(self.url, "1" * 40, self.out)
        (self.out / ".gitattributes").write_text("")
        fill_large(self.url, self.out)
        self.assertEqual((self.out / "w/a.bin").read_bytes(), POINTER)


if __name__ == "__main__":
    unittest.main()

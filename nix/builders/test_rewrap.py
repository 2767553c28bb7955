"""A wheel's bytes depend on its contents alone, whatever wrote it; and it says of every file what it is."""

import csv
import io
import tempfile
import unittest
import zipfile
from pathlib import Path

from member import Refused
from rewrap import rewrap
from wheel import Venv, install

INFO = "demo-1.0.dist-info"
FILES = {
    "demo.py": b"x = 1\n",
    "bin/run": b"#!/bin/sh\n",
    f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
    f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{INFO}/RECORD": b"demo.py,sha256=wrong,1\n",
}


class RewrapTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def made(self, files: dict[str, bytes], name: str = "demo-1.0-py3-none-any.whl", **options: int) -> Path:
        number = len(list(self.folder.iterdir()))
        place, out = self.folder / f"{number}", self.folder / f"{number}-out"
        place.mkdir()
        out.mkdir()
        with zipfile.ZipFile(place / name, "w", options.get("compression", zipfile.ZIP_DEFLATED)) as z:
            for path, data in files.items():
                info = zipfile.ZipInfo(path, (2000 + options.get("year", 0), 1, 1, 0, 0, 0))
                info.external_attr = (0o100777 if path == "bin/run" else 0o100600) << 16
                z.writestr(info, data)
        return rewrap(place / name, out)

    def test_times_order_and_compression_change_nothing(self) -> None:
        one = self.made(FILES)
        two = self.made(dict(reversed(FILES.items())), year=5, compression=zipfile.ZIP_STORED)
        self.assertEqual(one.read_bytes(), two.read_bytes())
        self.assertEqual(one.name, "demo-1.0-py3-none-any.whl")

    def test_record_is_made_anew_and_bytecode_and_signatures_are_left_out(self) -> None:
        more = {"__pycache__/demo.cpython-311.pyc": b"?", "old.pyc": b"?", f"{INFO}/RECORD.jws": b"?"}
        wheel = self.made({**FILES, **more})
        with zipfile.ZipFile(wheel) as z:
            rows = list(csv.reader(io.StringIO(z.read(f"{INFO}/RECORD").decode())))
            modes = {i.filename: oct(i.external_attr >> 16) for i in z.infolist()}
        self.assertEqual([row[0] for row in rows][-1], f"{INFO}/RECORD")
        self.assertEqual(sorted(row[0] for row in rows), sorted(FILES))
        self.assertEqual((modes["demo.py"], modes["bin/run"]), ("0o100644", "0o100755"))
        placed = {m.path for m in install(wheel, "demo", Venv("opt/venv", "3.11"))}
        self.assertIn("opt/venv/lib/python3.11/site-packages/demo.py", placed)

    def test_what_is_no_wheel_is_refused(self) -> None:
        without = {path: data for path, data in FILES.items() if not path.endswith("RECORD")}
        for files, name in ((FILES, "demo.whl"), (FILES, "demo-1.0-any.whl"), (without, "demo-1.0-py3-none-any.whl")):
            with self.subTest(name), self.assertRaises(Refused):
                self.made(files, name)
        with self.assertRaises(Refused):
            self.made({**FILES, "../up": b""})


if __name__ == "__main__":
    unittest.main()

"""A source and the packages that build it are laid out before any of their code runs."""

import io
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile
from pathlib import Path

from build_wheel import environment, place_packages, place_source
from member import Refused
from test_wheel import make_wheel


class LayoutTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def tarball(self, files: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
        path = self.folder / "x-1.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            for name, data in files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(data), 0o700 if name.endswith(".sh") else 0o600
                tar.addfile(entry, io.BytesIO(data))
            for name, target in (links or {}).items():
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = tarfile.SYMTYPE, target
                tar.addfile(entry)
        return path

    def test_archives_and_trees_become_the_same_folder(self) -> None:
        files = {"x-1/setup.py": b"a", "x-1/deep/run.sh": b"b"}
        with zipfile.ZipFile(self.folder / "x.zip", "w") as z:
            for name, data in files.items():
                z.writestr(name, data)
        place_source("url", self.tarball(files), self.folder / "tar")
        place_source("url", self.folder / "x.zip", self.folder / "zip")
        place_source("git", self.folder / "tar", self.folder / "tree")
        for name in ("tar", "zip", "tree"):
            found = {p.relative_to(self.folder / name).as_posix(): p for p in (self.folder / name).rglob("*")}
            self.assertEqual(sorted(found), ["deep", "deep/run.sh", "setup.py"])
            self.assertEqual({int(p.stat().st_mtime) for p in found.values()}, {315532800})
        self.assertTrue((self.folder / "tree/deep/run.sh").stat().st_mode & 0o100)

    def test_archives_that_climb_are_refused(self) -> None:
        climbing = self.tarball({"x-1/../../up": b""})
        with self.assertRaises(Refused):
            place_source("url", climbing, self.folder / "one")
        behind = self.tarball({}, {"x-1/link": str(self.folder), "x-1/link/up": "y"})
        with self.assertRaises(Refused):
            place_source("url", behind, self.folder / "two")
        self.assertFalse((self.folder / "up").exists())

    def test_what_is_no_archive_is_refused(self) -> None:
        (self.folder / "x").write_bytes(b"nothing")
        with self.assertRaises(Refused):
            place_source("url", self.folder / "x", self.folder / "out")

    def test_packages_are_installed_in_an_environment_of_their_own(self) -> None:
        entry = {
            "demo-1.0.dist-info/entry_points.txt": b"[console_scripts]\ntool = demo:main\n",
            "demo.py": b"x = 42\n",
        }
        place = self.folder / "place"
        place.mkdir()
        place_packages([make_wheel(self.folder, entry)], "3.11", place)
        script = (place / "opt/build/bin/tool").read_text()
        self.assertTrue(script.startswith("#!/opt/build/bin/python\n"))
        self.assertEqual((place / "opt/build/bin/python").readlink(), Path("/usr/bin/python3.11"))
        site = place / "opt/build/lib/python3.11/site-packages"
        command = [sys.executable, "-B", "-c", "import demo; print(demo.x)"]
        done = subprocess.run(command, env={"PYTHONPATH": str(site)}, capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "42\n")

    def test_a_build_knows_nothing_of_this_machine(self) -> None:
        self.assertEqual({k: v for k, v in environment().items() if "home" in v}, {"HOME": "/build/home"})


if __name__ == "__main__":
    unittest.main()

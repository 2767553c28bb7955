"""A wheel in the image is what an installer would make of it; a wheel that is not what it says is refused."""

import base64
import hashlib
import tempfile
import unittest
import zipfile
from pathlib import Path

from member import Misrecorded, Refused, arrange, read
from wheel import Venv, despite_records, install

VENV = Venv("opt/venv", "3.11")
SITE = "opt/venv/lib/python3.11/site-packages"


def make_wheel(
    folder: Path, files: dict[str, bytes], name: str = "demo", record: dict[str, bytes] | None = None
) -> Path:
    """A wheel of `files`; `record` gives contents that RECORD claims instead of the real ones."""
    info = f"{name}-1.0.dist-info"
    files = {
        **files,
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        **{k: v for k, v in files.items() if k.startswith(info)},
    }
    rows = []
    for path, data in {**files, **(record or {})}.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(data)}")
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as z:
        for path, data in files.items():
            z.writestr(path, data)
        z.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,"]) + "\n")
    return wheel


class WheelTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def installed(self, wheel: Path) -> dict[str, bytes]:
        return {m.path: read(m.content) for m in install(wheel, "demo 1.0", VENV) if m.content is not None}

    def test_files_go_to_site_packages_and_data_to_its_schemes(self) -> None:
        files = {
            "demo/__init__.py": b"x = 1\n",
            "demo-1.0.data/purelib/extra.py": b"",
            "demo-1.0.data/data/share/demo.txt": b"data",
            "demo-1.0.data/headers/demo.h": b"//",
            "demo-1.0.data/scripts/old": b"#!python\nprint(1)\n",
            "demo-1.0.data/scripts/shell": b"#!/bin/sh\n",
        }
        installed = self.installed(make_wheel(self.folder, files))
        self.assertEqual(installed[f"{SITE}/demo/__init__.py"], b"x = 1\n")
        self.assertIn(f"{SITE}/extra.py", installed)
        self.assertEqual(installed["opt/venv/share/demo.txt"], b"data")
        self.assertIn("opt/venv/include/site/python3.11/demo/demo.h", installed)
        self.assertEqual(installed["opt/venv/bin/old"], b"#!/opt/venv/bin/python\nprint(1)\n")
        self.assertEqual(installed["opt/venv/bin/shell"], b"#!/bin/sh\n")

    def test_entry_points_become_executable_scripts(self) -> None:
        entry = b"[console_scripts]\ndemo = demo.cli:App.run [extra]\n"
        wheel = make_wheel(self.folder, {"demo-1.0.dist-info/entry_points.txt": entry})
        script = next(m for m in install(wheel, "demo 1.0", VENV) if m.path == "opt/venv/bin/demo")
        assert script.content is not None
        self.assertEqual(script.mode, 0o755)
        text = read(script.content).decode()
        self.assertTrue(text.startswith("#!/opt/venv/bin/python\n"))
        self.assertIn("from demo.cli import App", text)
        self.assertIn("sys.exit(App.run())", text)

    def test_a_script_of_an_entry_point_can_be_excluded_under_the_name_that_a_file_would_have(self) -> None:
        entry = b"[console_scripts]\ndemo = demo.cli:run\nmore = demo.cli:more\n"
        wheel = make_wheel(self.folder, {"demo-1.0.dist-info/entry_points.txt": entry})
        made = {m.path: m for m in install(wheel, "demo 1.0", VENV, exclude=["demo-1.0.data/scripts/demo"])}
        self.assertIn("opt/venv/bin/more", made)
        self.assertNotIn("opt/venv/bin/demo", made)
        record = made[f"{SITE}/demo-1.0.dist-info/RECORD"].content
        assert record is not None
        self.assertNotIn(b"bin/demo", read(record))
        for name in ("demo-1.0.data/scripts/other", "bin/demo", "demo-1.0.data/data/bin/more"):
            with self.assertRaisesRegex(Refused, f"nothing to exclude at {name}"):
                list(install(wheel, "demo 1.0", VENV, exclude=[name]))

    def test_installed_record_lists_every_file_with_its_installed_hash(self) -> None:
        files = {"demo.py": b"1", "demo-1.0.data/scripts/old": b"#!python\n"}
        installed = self.installed(make_wheel(self.folder, files))
        rows = dict(
            line.rsplit(",", 2)[0:2] for line in installed[f"{SITE}/demo-1.0.dist-info/RECORD"].decode().splitlines()
        )
        for path, data in installed.items():
            place = path.removeprefix(SITE + "/") if path.startswith(SITE) else "../../../" + path[len("opt/venv/") :]
            if place.endswith("RECORD"):
                self.assertEqual(rows.pop(place), "")
                continue
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            self.assertEqual(rows.pop(place), f"sha256={digest}")
        self.assertEqual(rows, {})

    def test_bytes_that_record_does_not_promise_are_found_by_name(self) -> None:
        wheel = make_wheel(self.folder, {"demo.py": b"other"}, record={"demo.py": b"good"})
        with self.assertRaisesRegex(Misrecorded, r"demo 1\.0: the bytes of demo\.py"):
            self.installed(wheel)
        self.assert_installed_as_pip_does(wheel, "demo.py", b"other")

    def test_a_file_that_record_does_not_list_is_found(self) -> None:
        wheel = make_wheel(self.folder, {"demo.py": b"1"})
        with zipfile.ZipFile(wheel, "a") as z:
            z.writestr("more.py", b"2")
        with self.assertRaisesRegex(Misrecorded, r"more\.py is not listed"):
            self.installed(wheel)
        self.assert_installed_as_pip_does(wheel, "more.py", b"2")

    def test_a_record_that_cannot_be_read_is_found(self) -> None:
        for record in (b"demo.py,md5=abc,1\n", b"demo.py\n", b"\xff,sha256=x,1\n", b"demo.py,sha256=a,1\n"):
            with self.subTest(record):
                wheel = self.folder / "demo-1.0-py3-none-any.whl"
                with zipfile.ZipFile(wheel, "w") as z:
                    for name in ("WHEEL", "METADATA"):
                        z.writestr(f"demo-1.0.dist-info/{name}", b"")
                    z.writestr("demo.py", b"1")
                    z.writestr("demo-1.0.dist-info/RECORD", record)
                with self.assertRaises(Misrecorded):
                    self.installed(wheel)
                self.assert_installed_as_pip_does(wheel, "demo.py", b"1")

    def assert_installed_as_pip_does(self, wheel: Path, name: str, data: bytes) -> None:
        """The wheel is installed with the file, and an installed RECORD that is right."""

        def attempt(misrecorded: frozenset[str]) -> dict[str, bytes]:
            members = install(wheel, "demo 1.0", VENV, misrecorded="demo 1.0" in misrecorded)
            return {m.path: read(m.content) for m in members if m.content is not None}

        installed, misrecorded = despite_records(attempt)
        self.assertEqual((installed[f"{SITE}/{name}"], misrecorded), (data, {"demo 1.0"}))
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        self.assertIn(f"{name},sha256={digest},{len(data)}", installed[f"{SITE}/demo-1.0.dist-info/RECORD"].decode())

    def test_a_damaged_zip_is_refused_whatever_its_record(self) -> None:
        wheel = make_wheel(self.folder, {"demo.py": b"unique bytes"}, record={"demo.py": b"good"})
        with zipfile.ZipFile(wheel) as z, zipfile.ZipFile(self.folder / "stored.whl", "w") as stored:
            for info in z.infolist():
                stored.writestr(info.filename, z.read(info))
        data = (self.folder / "stored.whl").read_bytes()
        (self.folder / "stored.whl").write_bytes(data.replace(b"unique bytes", b"broken bytes"))
        with self.assertRaisesRegex(Refused, r"the bytes of demo\.py"):
            self.assert_installed_as_pip_does(self.folder / "stored.whl", "demo.py", b"")

    def test_paths_that_leave_the_environment_are_refused(self) -> None:
        for path in ("../evil.py", "/etc/passwd", "demo-1.0.data/scripts/../../../x", "a\\b"):
            with self.subTest(path), self.assertRaises(Refused):
                self.installed(make_wheel(self.folder, {path: b""}))

    def test_an_unknown_scheme_is_refused(self) -> None:
        with self.assertRaisesRegex(Refused, "no such install scheme"):
            self.installed(make_wheel(self.folder, {"demo-1.0.data/system/x": b""}))

    def test_excluded_files_are_left_out_of_the_environment_and_its_record(self) -> None:
        wheel = make_wheel(self.folder, {"demo.py": b"1", "tests/__init__.py": b"2"})
        found = {m.path: m for m in install(wheel, "demo 1.0", VENV, exclude=["tests/__init__.py"])}
        self.assertNotIn(f"{SITE}/tests/__init__.py", found)
        record = found[f"{SITE}/demo-1.0.dist-info/RECORD"].content
        assert record is not None
        self.assertNotIn("tests", read(record).decode())
        with self.assertRaisesRegex(Refused, "nothing to exclude at no.py"):
            list(install(wheel, "demo 1.0", VENV, exclude=["no.py"]))

    def test_two_wheels_may_share_equal_files_and_no_others(self) -> None:
        one = make_wheel(self.folder, {"ns/__init__.py": b"", "ns/a.py": b"1"}, "one")
        two = make_wheel(self.folder, {"ns/__init__.py": b"", "ns/b.py": b"2"}, "two")
        bad = make_wheel(self.folder, {"ns/a.py": b"other"}, "bad")
        both = arrange([*install(one, "one 1.0", VENV), *install(two, "two 1.0", VENV)])
        self.assertEqual(len({m.path for m in both}), len(both))
        with self.assertRaisesRegex(Refused, r"one 1\.0 and bad 1\.0 both ship .*ns/a\.py, with different contents"):
            arrange([*install(one, "one 1.0", VENV), *install(bad, "bad 1.0", VENV)])

    def test_a_truncated_wheel_is_refused(self) -> None:
        wheel = make_wheel(self.folder, {"demo.py": b"x" * 10_000})
        data = wheel.read_bytes()
        for cut in (10, len(data) // 2, len(data) - 4):
            wheel.write_bytes(data[:cut])
            with self.subTest(cut), self.assertRaises(Refused):
                self.installed(wheel)


if __name__ == "__main__":
    unittest.main()

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

    def write(self, files: dict[str, bytes]) -> Path:
        """A wheel of exactly these files."""
        wheel = self.folder / "exact-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as z:
            for name, data in files.items():
                z.writestr(name, data)
        return wheel

    def refuse(self, wheel: Path, message: str, kind: type[Refused] = Refused) -> None:
        with self.assertRaises(Refused) as caught:
            self.installed(wheel)
        self.assertEqual((type(caught.exception), str(caught.exception)), (kind, f"demo 1.0: {message}"))

    def test_the_dist_info_is_installed_whole_but_for_what_only_a_wheel_has(self) -> None:
        info = "demo-1.0.dist-info"
        files = {
            f"{info}/METADATA": b"Name: demo\nVersion: 1.0\nRequires-Dist: x\n",
            f"{info}/WHEEL": b"Wheel-Version: 1.0\n",
            f"{info}/entry_points.txt": b"[plugins]\na = b:c\n",
            f"{info}/licenses/LICENSE": b"MIT",
            f"{info}/licenses/RECORD": b"another one",
            "demo/RECORD": b"of the package",
        }
        unlisted = {f"{info}/RECORD.jws": b"{}", f"{info}/RECORD.p7s": b"p"}
        found = self.installed(make_wheel(self.folder, {**files, **unlisted}))
        record = found.pop(f"{SITE}/{info}/RECORD")
        self.assertEqual(found.pop(f"{SITE}/{info}/INSTALLER"), b"pycomfy\n")
        self.assertEqual(found, {f"{SITE}/{name}": data for name, data in files.items()})
        self.assertIn(f"{info}/RECORD,,", record.decode().splitlines())

    def test_a_wheel_has_one_dist_info(self) -> None:
        whole = {f"{n}-1.0.dist-info/{f}": b"" for n in ("demo", "other") for f in ("WHEEL", "METADATA", "RECORD")}
        self.refuse(self.write(whole), "a wheel has one .dist-info folder, this has 2")
        self.refuse(self.write({"a.py": b""}), "a wheel has one .dist-info folder, this has 0")
        for lacking in ("WHEEL", "METADATA", "RECORD"):
            files = {n: d for n, d in whole.items() if n.startswith("demo") and not n.endswith(lacking)}
            self.refuse(self.write(files), f"demo-1.0.dist-info/{lacking} is missing")

    def test_each_fault_of_a_record_is_told(self) -> None:
        for row, message in (
            (b"a.py,sha256=x", "RECORD has a row of 2 columns"),
            (b"a.py,sha256=x,1,2", "RECORD has a row of 4 columns"),
            (b"a.py,md5=abc,1", "RECORD gives no SHA-256 for a.py"),
            (b"a.py,sha256=a,1", "RECORD cannot be read: Invalid base64-encoded string"),
            (b"x,,\nb\0,,\n\xff", "RECORD cannot be read: 'utf-8' codec can't decode byte 0xff"),
            (b'x,"\r",\n"' + b"y" * 140_000, "RECORD cannot be read: field larger than field limit (131072)"),
            (b"a.py,,", "a.py is not listed in RECORD"),
        ):
            files = {"a.py": b"", **{f"demo-1.0.dist-info/{f}": b"" for f in ("WHEEL", "METADATA")}}
            files["demo-1.0.dist-info/RECORD"] = row
            with self.subTest(row[:20]), self.assertRaises(Misrecorded) as caught:
                self.installed(self.write(files))
            self.assertIn(f"demo 1.0: {message}", str(caught.exception))
            self.assertEqual(caught.exception.owner, "demo 1.0")

    def test_a_record_may_list_what_is_not_in_the_wheel(self) -> None:
        wheel = make_wheel(self.folder, {"a.py": b"1"}, record={"gone.py": b"2"})
        self.assertIn(f"{SITE}/a.py", self.installed(wheel))
        self.assertNotIn(b"gone", self.installed(wheel)[f"{SITE}/demo-1.0.dist-info/RECORD"])

    def test_a_record_may_leave_the_size_out(self) -> None:
        row = f"a.py,sha256={base64.urlsafe_b64encode(hashlib.sha256(b'1').digest()).decode()},\n"  # and may be padded
        info = {f"demo-1.0.dist-info/{name}": b"" for name in ("WHEEL", "METADATA")}
        padded = base64.urlsafe_b64encode(hashlib.sha256(b"").digest()).decode()
        rows = "".join(f"{name},sha256={padded},\n" for name in info)
        files = {"a.py": b"1", **info, "demo-1.0.dist-info/RECORD": (row + rows).encode()}
        self.assertEqual(self.installed(self.write(files))[f"{SITE}/a.py"], b"1")

    def test_a_wheel_that_stays_misrecorded_ends_the_attempts(self) -> None:
        def attempt(known: frozenset[str]) -> None:
            raise Misrecorded("a" if "a" not in known else "b", "wrong")

        with self.assertRaises(Misrecorded) as caught:
            despite_records(attempt)
        self.assertEqual(caught.exception.owner, "b")

    def test_modes_are_the_wheels_and_scripts_are_programs(self) -> None:
        wheel = make_wheel(self.folder, {"a.py": b"", "demo-1.0.data/scripts/run": b"#!/bin/sh\n"})
        with zipfile.ZipFile(wheel) as z, zipfile.ZipFile(self.folder / "modes.whl", "w") as out:
            for info in z.infolist():
                info.external_attr = (0o755 if info.filename == "a.py" else 0o644) << 16
                out.writestr(info, z.read(info.filename))
        modes = {m.path.removeprefix(SITE + "/"): m.mode for m in install(self.folder / "modes.whl", "demo 1.0", VENV)}
        self.assertEqual(
            modes,
            {
                "a.py": 0o755,
                "opt/venv/bin/run": 0o755,
                **{f"demo-1.0.dist-info/{name}": 0o644 for name in ("WHEEL", "METADATA", "INSTALLER", "RECORD")},
            },
        )

    def test_the_installed_record_is_sorted_and_has_the_size_of_what_is_there(self) -> None:
        files = {"z.py": b"123", "a.py": b"", "demo-1.0.data/scripts/old": b"#!python3 -u\nx\n"}
        found = self.installed(make_wheel(self.folder, files))
        self.assertEqual(found["opt/venv/bin/old"], b"#!/opt/venv/bin/python\nx\n")
        rows = found[f"{SITE}/demo-1.0.dist-info/RECORD"].decode().splitlines()
        self.assertEqual(rows, sorted(rows))
        sizes = {row.split(",")[0]: row.split(",")[2] for row in rows}
        self.assertEqual((sizes["z.py"], sizes["a.py"]), ("3", "0"))
        self.assertEqual(sizes["../../../bin/old"], str(len(found["opt/venv/bin/old"])))

    def test_the_installed_record_is_relative_to_any_environment(self) -> None:
        wheel = make_wheel(self.folder, {"a.py": b"", "demo-1.0.data/scripts/b": b"#!python\n"})
        for prefix in ("v", "ve", "opt/venv/of/something"):
            venv = Venv(prefix, "3.9")
            made = {m.path: m.content for m in install(wheel, "demo 1.0", venv)}
            record = made[f"{prefix}/lib/python3.9/site-packages/demo-1.0.dist-info/RECORD"]
            assert record is not None
            names = [row.split(",")[0] for row in read(record).decode().splitlines()]
            info = [f"demo-1.0.dist-info/{name}" for name in ("INSTALLER", "METADATA", "RECORD", "WHEEL")]
            self.assertEqual(names, ["../../../bin/b", "a.py", *info])

    def test_only_the_wheels_own_data_folder_is_spread(self) -> None:
        files = {
            "other-1.0.data/scripts/run": b"#!python\n",
            "demo-1.0.data/platlib/lib/scripts/x.py": b"#!python\n",
            "demo-1.0.data/data/scripts/y": b"#!python\n",
            "demo/scripts/z": b"#!python\n",
        }
        found = self.installed(make_wheel(self.folder, files))
        for place in (
            f"{SITE}/other-1.0.data/scripts/run",
            f"{SITE}/lib/scripts/x.py",
            "opt/venv/scripts/y",
            f"{SITE}/demo/scripts/z",
        ):
            self.assertEqual(found[place], b"#!python\n")

    def test_a_scheme_alone_is_refused(self) -> None:
        self.refuse(
            make_wheel(self.folder, {"demo-1.0.data/purelib": b""}),
            "demo-1.0.data/purelib: there is no such install scheme",
        )

    def points(self, text: bytes) -> dict[str, bytes]:
        return self.installed(make_wheel(self.folder, {"demo-1.0.dist-info/entry_points.txt": text}))

    def test_what_is_no_entry_point_is_refused(self) -> None:
        for text, message in (
            ("[console_scripts]\na = b", "entry_points.txt: a = b is no script"),
            ("[console_scripts]\na = b:c d", "entry_points.txt: a = b:c d is no script"),
            ("[console_scripts]\na = b:0x-1", "entry_points.txt: a = b:0x-1 is no script"),
            ("[gui_scripts]\na = b; import os:c", "entry_points.txt: a = b; import os:c is no script"),
            ("[console_scripts]\n../a = b:c", "entry_points.txt: ../a = b:c is no script"),
            ("[console_scripts]\n.a = b:c", "entry_points.txt: .a = b:c is no script"),
        ):
            with self.subTest(text), self.assertRaises(Refused) as caught:
                self.points(text.encode())
            self.assertEqual(str(caught.exception), f"demo 1.0: {message}")
        for data, why in ((b"a = b:c", "File contains no section headers"), (b"[x]\n\xff = y", "'utf-8' codec")):
            with self.subTest(data), self.assertRaisesRegex(Refused, f"^demo 1.0: entry_points.txt: {why}"):
                self.points(data)

    def test_entry_points_are_read_as_installers_do(self) -> None:
        found = self.points(
            b"[console_scripts]\nDemo-2 = a.b : C.d\nlast = first:one\nlast = second:two\n"
            b"[gui_scripts]\ndemo.gui = g:h\n[other]\nnot = a script"
        )
        scripts = {
            p.removeprefix("opt/venv/bin/"): d.decode() for p, d in found.items() if p.startswith("opt/venv/bin")
        }
        self.assertEqual(sorted(scripts), ["Demo-2", "demo.gui", "last"])
        self.assertIn("from a.b import C\n", scripts["Demo-2"])
        self.assertIn("sys.exit(C.d())", scripts["Demo-2"])
        self.assertIn("from second import two", scripts["last"])
        self.assertEqual(self.points(b"[plugins]\na = %(b)s:c\n").keys(), self.points(b"").keys())

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

"""`root.py` on small packages made here: what it lays out, what it refuses, and that it is the same every time."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import http.server
import io
import json
import lzma
import os
import random
import re
import subprocess
import sys
import tarfile
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Union
from unittest import mock

import root
import zstandard

Item = tuple[str, Union[bytes, str, tarfile.TarInfo, None]]  # noqa: UP007  (Python 3.9 evaluates it)
"""A path with a file's content, a link's target, None for a folder, or a header."""


def tar_bytes(items: list[Item]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, content in items:
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(path)
            info.mtime = random.randrange(1 << 30)
            if isinstance(content, bytes):
                info.size, info.mode = len(content), 0o4755 if content.startswith(b"#!") else 0o640
                tar.addfile(info, io.BytesIO(content))
                continue
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            elif content is None:
                info.type = tarfile.DIRTYPE
            tar.addfile(info)
    return raw.getvalue()


def ar_bytes(members: list[tuple[str, bytes]]) -> bytes:
    out = b"!<arch>\n"
    for name, data in members:
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return out


def deb_bytes(items: list[Item], control: str, suffix: str = ".xz") -> bytes:
    return ar_bytes(
        [
            ("debian-binary", b"2.0\n"),
            ("control.tar" + suffix, pack(tar_bytes([("./control", control.encode())]), suffix)),
            ("data.tar" + suffix, pack(tar_bytes(items), suffix)),
        ]
    )


def pack(data: bytes, suffix: str) -> bytes:
    if suffix == ".zst":
        return zstandard.compress(data)
    if suffix == ".xz":
        return lzma.compress(data)
    return gzip.compress(data) if suffix == ".gz" else bz2.compress(data) if suffix == ".bz2" else data


BASE: list[Item] = [
    ("./", None),
    ("./tmp/", None),
    ("./usr/lib/os-release", b"ID=debian\n"),
    ("./etc/os-release", "../usr/lib/os-release"),
    ("./usr/share/base-passwd/passwd.master", b"root:*:0:0:root:/root:/bin/bash\n"),
    ("./usr/share/base-passwd/group.master", b"root:*:0:\n"),
]


class Case(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def deb(self, name: str, items: list[Item], fields: str = "", suffix: str = ".xz") -> tuple[str, Path]:
        path = self.folder / f"{name}.deb"
        path.write_bytes(deb_bytes(items, f"Package: {name}\nVersion: 1\nArchitecture: amd64\n{fields}", suffix))
        return name, path

    def unpack(self, *debs: tuple[str, Path], base: list[Item] | None = None) -> Path:
        out = Path(tempfile.mkdtemp(dir=self.folder)) / "out"
        root.unpack([self.deb("base", BASE if base is None else base), *debs], out)
        return out

    def refuse(self, pattern: str, *debs: tuple[str, Path]) -> None:
        with self.assertRaisesRegex(root.Refused, pattern):
            self.unpack(*debs)


class Layout(Case):
    def test_top_folders_are_links_into_usr(self) -> None:
        out = self.unpack(self.deb("a", [("./bin/sh", b"#!x"), ("./lib64/ld.so", b"l"), ("./usr/bin/b", b"b")]))
        self.assertEqual(str((out / "bin").readlink()), "usr/bin")
        self.assertEqual(str((out / "lib64").readlink()), "usr/lib64")
        self.assertEqual((out / "usr/bin/sh").read_bytes(), b"#!x")
        self.assertFalse((out / "sbin").exists())

    def test_a_package_that_ships_the_links_itself_changes_nothing(self) -> None:
        plain = self.unpack(self.deb("a", [("./usr/bin/b", b"b")]))
        trixie = self.unpack(self.deb("a", [("./bin", "usr/bin"), ("./usr/bin/b", b"b")]))
        self.assertEqual(listing(plain), listing(trixie))

    def test_modes_are_plain_and_nothing_is_setuid(self) -> None:
        out = self.unpack(self.deb("a", [("./usr/bin/su", b"#!"), ("./etc/shadow", b"x")]))
        self.assertEqual((out / "usr/bin/su").stat().st_mode & 0o7777, 0o755)
        self.assertEqual((out / "etc/shadow").stat().st_mode & 0o7777, 0o644)
        self.assertEqual((out / "etc").stat().st_mode & 0o7777, 0o755)

    def test_a_program_is_what_its_owner_may_run(self) -> None:
        def file(mode: int) -> Item:
            info = tarfile.TarInfo(f"./srv/{mode:o}")
            info.mode = mode
            return info.name, info

        modes = {0o100: 0o755, 0o4711: 0o755, 0o077: 0o644, 0o7677: 0o644, 0o001: 0o644}
        out = self.unpack(self.deb("a", [file(mode) for mode in modes]))
        self.assertEqual({int(p.name, 8): p.stat().st_mode & 0o7777 for p in (out / "srv").iterdir()}, modes)

    def test_documentation_goes_but_licences_stay(self) -> None:
        items: list[Item] = [
            ("./usr/share/doc/a/copyright", b"MIT"),
            ("./usr/share/doc/a/README", b"r"),
            ("./usr/share/doc/a/examples/copyright", b"x"),
            ("./usr/share/doc/a2", "a"),
            ("./usr/share/man/man1/a.1", b"m"),
            ("./usr/share/locale/de/a.mo", b"l"),
            ("./usr/share/manual", b"kept"),
        ]
        out = self.unpack(self.deb("a", items))
        self.assertEqual(sorted(p.name for p in (out / "usr/share/doc").rglob("*")), ["a", "a2", "copyright"])
        self.assertEqual(sorted(p.name for p in (out / "usr/share").iterdir()), ["base-passwd", "doc", "manual"])

    def test_a_link_of_the_merge_may_be_absolute_and_no_other_is_one(self) -> None:
        self.assertEqual(
            listing(self.unpack(self.deb("a", [("./bin", "/usr/bin"), ("./usr/bin/b", b"b")]))),
            listing(self.unpack(self.deb("a", [("./usr/bin/b", b"b")]))),
        )
        self.refuse("lies below /usr/lib, a link of a$", self.deb("a", [("./lib", "usr/lib64")]))
        out = self.unpack(self.deb("a", [("./opt", "usr/opt"), ("./usr/sbin/x", b"x"), ("./srv/bin", "usr/bin")]))
        self.assertEqual([str((out / name).readlink()) for name in ("opt", "srv/bin")], ["usr/opt", "usr/bin"])

    def test_what_an_image_has_no_use_for_is_dropped_and_no_more(self) -> None:
        kept = [
            "doc/a/copyright.gz", "doc/a/copyright.xz", "doc/b", "info.txt", "manx/x", "gnome/x", "perl5/x", "zsh.txt",
        ]  # fmt: skip
        dropped = [
            "doc/a/copyright.html", "doc/a/sub/copyright", "doc/loose", "doc/a/copyright.gz.asc", "info/x", "lintian/x",
            "gnome/help/x", "perl5/debconf/x", "zsh/x", "bug/x",
        ]  # fmt: skip
        items: list[Item] = [
            *((f"./usr/share/{name}", "a" if name == "doc/b" else b"x") for name in [*kept, *dropped]),
            ("./usr/share/doc/a", None),
            ("./usr/share/doc/empty/copyright", None),
            ("./usr/share/doc", None),
        ]
        share = self.unpack(self.deb("a", items)) / "usr/share"
        found = {str(p.relative_to(share)) for p in share.rglob("*") if not p.is_dir() or p.is_symlink()}
        self.assertEqual(found - {"base-passwd/passwd.master", "base-passwd/group.master"}, set(kept))
        self.assertFalse((share / "doc/empty").exists())

    def test_names_are_looked_up_as_the_package_says_if_nothing_else_does(self) -> None:
        models: list[Item] = [
            ("./usr/share/libc-bin/nsswitch.conf", b"c"),
            ("./usr/share/base-files/nsswitch.conf", b"b"),
        ]
        for items, found in (
            (models, b"b"),
            (models[:1], b"c"),
            ([*models, ("./etc/nsswitch.conf", b"own")], b"own"),
        ):
            self.assertEqual((self.unpack(self.deb("a", items)) / "etc/nsswitch.conf").read_bytes(), found)
        self.assertFalse((self.unpack() / "etc/nsswitch.conf").exists())

    def test_there_are_no_certificates_where_nobody_ships_any(self) -> None:
        out = self.unpack(self.deb("a", [("./usr/share/ca-certificates/README", b"x"), ("./srv/x.crt", b"y")]))
        self.assertFalse((out / "etc/ssl").exists() or (out / "usr/lib/ssl").exists())

    def test_a_hard_link_becomes_a_file_even_if_its_target_is_dropped(self) -> None:
        link = tarfile.TarInfo("./usr/bin/b")
        link.type, link.linkname = tarfile.LNKTYPE, "./usr/share/man/a"
        out = self.unpack(self.deb("a", [("./usr/share/man/a", b"#!a"), ("x", link)]))
        self.assertEqual((out / "usr/bin/b").read_bytes(), b"#!a")
        self.assertTrue(os.access(out / "usr/bin/b", os.X_OK))

    def test_the_user_is_there(self) -> None:
        out = self.unpack()
        self.assertIn("comfy:*:1000:1000:comfy:/data:/usr/sbin/nologin\n", (out / "etc/passwd").read_text())
        self.assertEqual((out / "etc/group").read_text(), "root:*:0:\ncomfy:*:1000:\n")

    def test_certificates_are_one_file_in_the_order_of_their_names(self) -> None:
        items: list[Item] = [
            ("./usr/share/ca-certificates/mozilla/F\u0151.crt", b"3"),
            ("./usr/share/ca-certificates/mozilla/B.crt", b"2\n"),
            ("./usr/share/ca-certificates/mozilla/A.crt", b"1\n\n"),
        ]
        out = self.unpack(self.deb("ca", items))
        self.assertEqual((out / "etc/ssl/certs/ca-certificates.crt").read_bytes(), b"1\n2\n3\n")
        self.assertEqual(str((out / "usr/lib/ssl/cert.pem").readlink()), "/etc/ssl/certs/ca-certificates.crt")

    def test_scanners_find_the_packages(self) -> None:
        out = self.unpack(self.deb("a", [("./lib/a", b"a")], "Multi-Arch: same\nDescription: x\n long\n .\n text\n"))
        status = (out / "var/lib/dpkg/status").read_text()
        stanzas = status.split("\n\n")
        self.assertEqual(
            [s.splitlines()[:2] for s in stanzas],
            [["Package: a", "Status: install ok installed"], ["Package: base", "Status: install ok installed"]],
        )
        self.assertIn(" .\n text", stanzas[0])
        self.assertEqual((out / "var/lib/dpkg/info/a:amd64.list").read_text(), "/.\n/usr/lib/a\n")

    def test_every_compression_gives_the_same_tree(self) -> None:
        items: list[Item] = [("./usr/bin/b", b"#!b")]
        first, *others = (
            listing(self.unpack(self.deb("a", items, suffix=suffix))) for suffix in ("", ".xz", ".gz", ".bz2", ".zst")
        )
        self.assertEqual(others, [first] * 4)


class Conflicts(Case):
    def test_the_same_content_from_two_packages_is_fine(self) -> None:
        out = self.unpack(self.deb("a", [("./etc/x", b"1")]), self.deb("b", [("./etc/x", b"1")]))
        self.assertEqual((out / "etc/x").read_bytes(), b"1")

    def test_different_content_is_refused_naming_both_and_all(self) -> None:
        with self.assertRaises(root.Refused) as caught:
            self.unpack(
                self.deb("a", [("./etc/x", b"1"), ("./etc/y", b"1")]),
                self.deb("b", [("./etc/x", b"2"), ("./etc/y", "1")]),
            )
        self.assertEqual(
            str(caught.exception).splitlines(),
            [f"/etc/{n}: shipped by a and by b, with different content" for n in "xy"],
        )

    def test_what_replaces_another_package_wins_in_any_order(self) -> None:
        for new, old in (("a", "b"), ("b", "a")):
            out = self.unpack(
                self.deb(new, [("./etc/x", b"new")], f"Replaces: zz,\n {old} (<< 2)\n"),
                self.deb(old, [("./etc/x", b"old")]),
            )
            self.assertEqual((out / "etc/x").read_bytes(), b"new")

    def test_two_that_replace_one_another_are_refused(self) -> None:
        a = self.deb("a", [("./etc/x", b"1")], "Replaces: b\n")
        self.refuse("shipped by a and by b", a, self.deb("b", [("./etc/x", b"2")], "Replaces: a\n"))

    def test_nothing_is_written_through_a_link(self) -> None:
        a = self.deb("a", [("./etc/d", "/tmp")])
        self.refuse("/etc/d/x .b. lies below /etc/d, a link of a", a, self.deb("b", [("./etc/d/x", b"1")]))
        self.refuse("lies below", self.deb("c", [("./etc/d", "/tmp"), ("./etc/d/x", b"1")]))

    def test_a_folder_gives_way_to_nothing(self) -> None:
        for one, two in ((None, b"x"), (b"x", None)):
            a = self.deb("a", [("./etc/x", one)], "Replaces: b\n")
            self.refuse("^/etc/x: shipped by a and by b, with different content$", a, self.deb("b", [("./etc/x", two)]))

    def test_a_file_and_a_program_are_different(self) -> None:
        program = tarfile.TarInfo("./etc/x")
        program.mode = 0o755
        self.refuse("shipped by a and by b", self.deb("a", [("x", program)]), self.deb("b", [("./etc/x", b"")]))

    def test_a_package_given_twice_is_refused(self) -> None:
        a = self.deb("a", [])
        self.refuse("given twice", a, a)


class Hostile(Case):
    def test_paths_that_leave_the_tree_are_refused(self) -> None:
        for path in ("/etc/x", "../x", "./a/../../x", "a/.."):
            self.refuse("would leave the tree", self.deb("a", [(path, b"1")]))

    def test_devices_pipes_and_sparse_files_are_refused(self) -> None:
        for kind in (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo("./dev/x")
            info.type = kind
            self.refuse("neither file, link nor folder", self.deb("a", [("x", info)]))

    def test_a_sparse_file_is_refused(self) -> None:
        info = tarfile.TarInfo("./etc/x")
        info.type = tarfile.GNUTYPE_SPARSE
        self.refuse("^a: ./etc/x is neither file, link nor folder$", self.deb("a", [("x", info)]))

    def test_a_hard_link_to_nothing_is_refused(self) -> None:
        for target, message in (
            ("./etc/none", "./etc/x is a hard link to ./etc/none, which is no file before it"),
            ("./etc", "./etc/x is a hard link to ./etc, which is no file before it"),
            ("./etc/link", "./etc/x is a hard link to ./etc/link, which is no file before it"),
            ("../../etc/passwd", "../../etc/passwd would leave the tree"),
            ("/etc/passwd", "/etc/passwd would leave the tree"),
        ):
            info = tarfile.TarInfo("./etc/x")
            info.type, info.linkname = tarfile.LNKTYPE, target
            items: list[Item] = [("./etc", None), ("./etc/link", "x"), ("x", info), ("./etc/none", b"later")]
            self.refuse(f"^a: {re.escape(message)}$", self.deb("a", items))

    def test_a_path_shipped_twice_is_refused(self) -> None:
        self.refuse("twice", self.deb("a", [("./bin/x", b"1"), ("./usr/bin/x", b"2")]))

    def test_any_damage_is_told_and_names_the_package(self) -> None:
        name, path = self.deb("a", [("./etc/x", os.urandom(5000))])
        whole = path.read_bytes()
        damaged = [b"", b"PK\3\4", whole[:100], whole[:-3000], whole[:-2000] + os.urandom(2000), whole[:8] + b"x" * 60]
        for data in damaged:
            path.write_bytes(data)
            self.refuse("^a: ", (name, path))

    def refuse_exactly(self, members: list[tuple[str, bytes]], message: str) -> None:
        """Refuse a .deb of these members; PATH in the message stands for the file."""
        self.refuse_bytes(ar_bytes([("debian-binary", b"2.0\n"), *members]), message)

    def refuse_bytes(self, data: bytes, message: str) -> None:
        path = self.folder / "a.deb"
        path.write_bytes(data)
        self.refuse(f"^a: {message.replace('PATH', re.escape(str(path)))}", ("a", path))

    def test_what_is_no_ar_archive_is_no_package(self) -> None:
        self.refuse_bytes(b"", "PATH is no .deb$")
        self.refuse_bytes(b"PK\3\4" + b"x" * 60, "PATH is no .deb$")

    def test_a_damaged_ar_archive_is_refused(self) -> None:
        whole = deb_bytes([], "Package: a\n")
        size = len("!<arch>\n") + 48
        for data in (
            whole[:-1],  # ends early
            whole[:size] + b"-4        " + whole[size + 10 :],
            whole[:size] + b"4x        " + whole[size + 10 :],
            whole[:8] + b"\xff" + whole[9:],
            whole[: size + 10] + b"xx" + whole[size + 12 :],  # each header ends in the same two bytes
            whole[: size - 10],
        ):
            with self.subTest(data):
                self.refuse_bytes(data, "PATH is a damaged .deb$")

    def test_each_kind_of_damage_in_a_member_is_told(self) -> None:
        tar = tar_bytes([("./etc/x", bytes(100_000))])
        gz = gzip.compress(tar)
        for suffix, data in {
            ".xz": b"no xz",
            ".gz": b"no gzip",
            ".bz2": b"no bzip2",
            "": b"no tar" * 1000,
        }.items():
            self.refuse_exactly([("data.tar" + suffix, data)], f"data.tar{suffix} of PATH is damaged: ")
        for damaged in (gz[:-20], gz[:20] + b"\xff" * 20 + gz[40:]):  # ends early; what is no deflate
            self.refuse_exactly([("control.tar.gz", damaged)], "control.tar.gz of PATH is damaged: ")
        self.refuse_exactly([("data.tar", tar[:5000])], "data.tar of PATH is damaged: ")

    def test_an_unknown_compression_is_refused(self) -> None:
        for member in ("data.tar.lz4", "control.tar.Z", "control.tar.lzma"):
            self.refuse_exactly([(member, b"")], f"{member} is compressed in an unknown way$")

    def test_a_package_without_control_or_without_data_is_refused(self) -> None:
        control = ("control.tar", tar_bytes([("./control", b"Package: a\n")]))
        data = ("data.tar", tar_bytes([]))
        message = "PATH has no control or no data archive$"
        self.refuse_exactly([control], message)
        self.refuse_exactly([data], message)
        self.refuse_exactly([("control.tar", tar_bytes([("./md5sums", b""), ("./control", None)])), data], message)

    def test_a_control_file_is_one_stanza(self) -> None:
        data = ("data.tar", tar_bytes([]))
        for control in (b"Version: 1\n", b" Package: a\nVersion: 1\n\nPackage: b\n"):
            members = [("control.tar", tar_bytes([("./control", control)])), data]
            self.refuse_exactly(members, "its control file is no single stanza$")
        plain = ("control.tar", tar_bytes([("control", b"\nPackage: a\nVersion: 1\n\n")]))
        path = self.folder / "a.deb"
        path.write_bytes(ar_bytes([("_odd", b"123"), plain, data]))
        self.assertEqual(root.read_deb("a", path), root.Deb("a", "Package: a\nVersion: 1", {}))

    def test_a_bomb_is_refused(self) -> None:
        limit, root.LARGEST_DEB = root.LARGEST_DEB, 100_000
        self.addCleanup(setattr, root, "LARGEST_DEB", limit)
        self.refuse("unpacks to more", self.deb("a", [("./etc/x", bytes(1_000_000))]))

    def test_a_bounded_stream_gives_no_byte_more(self) -> None:
        whole = root.Bounded(io.BytesIO(b"12345"), 5, "a")
        self.assertEqual([whole.read(2), whole.read(0), whole.read(), whole.read()], [b"12", b"", b"345", b""])
        for size in (1, -1):
            source = io.BytesIO(b"1234567")
            short = root.Bounded(source, 4, "a")
            self.assertEqual(short.read(4), b"1234")
            with self.assertRaisesRegex(root.Refused, "^a: unpacks to more than the 4 GiB allowed$"):
                short.read(size)
            self.assertEqual(source.tell(), 5)

    def test_zstd_without_a_module_says_what_to_do(self) -> None:
        deb = self.deb("a", [], suffix=".zst")
        with mock.patch.dict(sys.modules, {"compression": None, "zstandard": None}):
            self.refuse("^a: packed with zstd, .*Python 3.14", deb)

    def test_zstd_without_a_module_is_unpacked_by_the_program_that_is_given(self) -> None:
        program = self.folder / "7zzs"
        # It is called as 7-Zip is, and has what is packed as its input.
        program.write_text(
            f"#!{sys.executable}\nimport sys, zstandard\nassert sys.argv[1:] == ['e', '-tzstd', '-si', '-so']\n"
            "zstandard.ZstdDecompressor().copy_stream(sys.stdin.buffer, sys.stdout.buffer)\n"
        )
        program.chmod(0o755)
        name, path = self.deb("a", [("./etc/x", b"x" * 100_000)], suffix=".zst")
        with mock.patch.dict(sys.modules, {"compression": None, "zstandard": None}):
            entries = root.read_deb(name, path, str(program)).entries
            self.assertEqual(entries["etc/x"].data, b"x" * 100_000)
            program.write_text("#!/bin/sh\n")
            with self.assertRaisesRegex(root.Refused, "damaged"):
                root.read_deb(name, path, str(program))

    def test_a_root_without_base_packages_is_refused(self) -> None:
        for lacking in ("usr/lib/os-release", *(f"usr/share/base-passwd/{n}.master" for n in ("passwd", "group"))):
            for instead in ([], [(f"./{lacking}", "x")]):
                base = [item for item in BASE if item[0] != f"./{lacking}"]
                with self.assertRaisesRegex(root.Refused, f"^/{lacking}: no package ships it; a root needs base-files"):
                    self.unpack(base=[*base, *instead])


class CommandLine(Case):
    def run_it(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-B", str(Path(root.__file__).absolute()), *arguments]
        return subprocess.run(command, env=env, check=False, capture_output=True, text=True)

    def assert_ended_well(self, done: subprocess.CompletedProcess[str]) -> None:
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def spec(self) -> Path:
        debs = [self.deb("base", BASE), self.deb("a", [("./usr/bin/\u0151", b"#!a"), ("./etc/l", "x")])]
        path = self.folder / "spec.json"
        path.write_text(json.dumps({"debs": [{"name": n, "path": str(p)} for n, p in reversed(debs)]}))
        return path

    def test_arguments_and_a_derivations_environment_give_the_same_tree(self) -> None:
        spec, by_hand, by_nix = str(self.spec()), str(self.folder / "1"), str(self.folder / "2")
        self.assert_ended_well(self.run_it(spec, by_hand, LC_ALL="C"))
        self.assert_ended_well(self.run_it(specPath=spec, out=by_nix, LANG="C.UTF-8"))
        self.assertEqual(listing(Path(by_hand)), listing(Path(by_nix)))

    def test_a_lock_is_downloaded_checked_and_unpacked(self) -> None:
        self.spec()
        files = {n: self.folder / f"{n}.deb" for n in ("a", "base")}
        packages = [
            {"name": n, "archive": 0, "path": f.name, "sha256": _sha256(f), "size": f.stat().st_size}
            for n, f in files.items()
        ]
        lock = self.folder / "pycomfy.lock"
        root = {"archives": [self.folder.as_uri()], "packages": packages}
        text = json.dumps(
            {"platforms": {"linux/amd64": {"root": root, "compilers": {**root, "packages": packages[1:]}}}}
        )
        lock.write_text(text)
        out = self.folder / "out"
        self.assert_ended_well(self.run_it("--lock", str(lock), "--platform", "linux/amd64", str(out)))
        self.assertTrue((out / "etc/l").is_symlink())
        other = self.folder / "compilers"
        self.assert_ended_well(self.run_it("--lock", str(lock), "--platform", "linux/amd64", "--compilers", str(other)))
        self.assertFalse((other / "etc/l").is_symlink())
        lock.write_text(text.replace(_sha256(self.folder / "a.deb"), "0" * 64))
        done = self.run_it("--lock", str(lock), "--platform", "linux/amd64", str(self.folder / "out2"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("the lock says 0000", done.stderr)
        self.assertFalse((self.folder / "out2").exists())

    def pinned(self, **changes: object) -> str:
        path = self.folder / "base.deb"
        if not path.exists():
            self.deb("base", BASE)
        package = {
            "name": "base",
            "archive": 0,
            "path": "base.deb",
            "sha256": _sha256(path),
            "size": path.stat().st_size,
            **changes,
        }
        part = {"archives": [f"{self.folder.as_uri()}//"], "packages": [package]}
        return json.dumps({"platforms": {"linux/amd64": {"root": part}}})

    def refuse_lock(self, text: str, message: str, platform: str = "linux/amd64") -> None:
        lock = self.folder / "pycomfy.lock"
        lock.write_text(text)
        with self.assertRaisesRegex(root.Refused, message):
            root.unpack_lock(lock, platform, self.folder / "never")
        self.assertFalse((self.folder / "never").exists())

    def test_what_a_lock_does_not_pin_is_not_unpacked(self) -> None:
        lock = self.folder / "pycomfy.lock"
        lock.write_text(self.pinned())
        root.unpack_lock(lock, "linux/amd64", self.folder / "out")
        self.assertTrue((self.folder / "out/etc/passwd").is_file())
        self.refuse_lock(self.pinned(), f"^{lock} is no lock for linux/arm64: KeyError", "linux/arm64")
        self.refuse_lock("{", f"^{lock} is no lock for linux/amd64: JSONDecodeError")
        self.refuse_lock("[]", f"^{lock} is no lock for linux/amd64: TypeError")
        self.refuse_lock(self.pinned(archive=1), "is no lock for linux/amd64: IndexError")
        self.refuse_lock(self.pinned(path="none.deb"), "^base: file://.*/none.deb: .*No such file")
        self.refuse_lock(
            self.pinned(sha256="0" * 64), f"has SHA-256 {_sha256(self.folder / 'base.deb')}, the lock says 00"
        )
        size = (self.folder / "base.deb").stat().st_size
        lock.write_text(self.pinned(size=size))
        root.unpack_lock(lock, "linux/amd64", self.folder / "exact")
        with (self.folder / "base.deb").open("ab") as file:  # no more is read than a byte too many
            file.write(bytes(1 << 20))
        pinned = root.Pinned("base", (self.folder / "base.deb").as_uri(), "0" * 64, size)
        with mock.patch.object(hashlib, "sha256", wraps=hashlib.sha256) as hashed:
            self.assertRaises(root.Refused, root.fetch, pinned, self.folder)
        self.assertEqual(len(hashed.call_args.args[0]), size + 1)

    def test_a_download_is_tried_again_and_what_has_arrived_is_kept(self) -> None:
        more: list[Item] = [("x", b"1")]
        data = {n: self.deb(n, items)[1].read_bytes() for n, items in (("base", BASE), ("more", more))}
        asked: dict[str, int] = {}
        gone = {"more"}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path[1:]
                asked[name] = asked.get(name, 0) + 1
                if asked[name] == 1:
                    self.send_error(503)
                elif name in gone:
                    self.send_error(404)
                else:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(data[name])))
                    self.end_headers()
                    self.wfile.write(data[name][: 100 if asked[name] == 2 else None])  # the connection breaks

            def log_message(self, *arguments: object) -> None:
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            packages = [
                {"name": n, "archive": 0, "path": n, "sha256": hashlib.sha256(d).hexdigest(), "size": len(d)}
                for n, d in data.items()
            ]
            part = {"archives": [f"http://127.0.0.1:{server.server_port}"], "packages": packages}
            lock, out = self.folder / "pycomfy.lock", self.folder / "out"
            lock.write_text(json.dumps({"platforms": {"linux/amd64": {"root": part}}}))
            with mock.patch.object(root, "WAITS", (0.0, 0.0)):
                with self.assertRaisesRegex(
                    root.Refused, "^more: .*404.*\n1 of 2 packages are in .*out.debs: run this"
                ):
                    root.unpack_lock(lock, "linux/amd64", out)
                self.assertEqual((asked, out.exists()), ({"base": 3, "more": 2}, False))
                gone.clear()
                root.unpack_lock(lock, "linux/amd64", out)
            server.shutdown()
        self.assertEqual((asked["base"], asked["more"]), (3, 3))
        self.assertTrue((out / "x").is_file())
        self.assertFalse((self.folder / "out.debs").exists())

    def test_a_kept_package_that_is_damaged_is_fetched_again(self) -> None:
        lock = self.folder / "pycomfy.lock"
        lock.write_text(self.pinned())
        kept = self.folder / "out.debs"
        kept.mkdir()
        (kept / f"{_sha256(self.folder / 'base.deb')}.deb").write_bytes(b"cut sho")
        root.unpack_lock(lock, "linux/amd64", self.folder / "out")
        self.assertTrue((self.folder / "out/etc/passwd").is_file())

    def test_only_web_addresses_and_files_are_fetched(self) -> None:
        for url in ("ftp://h/x", "data:,x", "/etc/passwd", ""):
            with self.assertRaisesRegex(root.Refused, f"^base: {url} is no web address$"):
                root.fetch(root.Pinned("base", url, "0" * 64, 1), self.folder)

    def test_a_list_of_packages_is_checked(self) -> None:
        spec = self.folder / "spec.json"
        for text in ("{", "[]", "{}", '{"debs": [{}]}', '{"debs": [{"name": "a", "path": 1}]}'):
            spec.write_text(text)
            with self.assertRaisesRegex(root.Refused, f"^{spec} is no list of packages: "):
                root.read_spec(spec)

    def test_each_wrong_use_gets_the_usage(self) -> None:
        spec, out = str(self.spec()), str(self.folder / "never")
        lock = ["--lock", spec, "--platform", "linux/amd64"]
        for arguments in (
            [], [spec], [spec, out, "more"], lock[:3], lock, [*lock, out, "more"], [*lock, "--compilers"],
            [*lock, "--compilers", out, "more"], ["--lock", spec, "linux/amd64", out], [*lock, out, "--compilers"],
        ):  # fmt: skip
            done = self.run_it(*arguments)
            self.assertEqual((done.returncode, done.stderr.strip()), (1, (root.__doc__ or "").strip()), arguments)
        self.assertFalse((self.folder / "never").exists())

    def test_a_failure_is_one_line(self) -> None:
        spec = str(self.spec())
        self.assertRegex(self.run_it(str(self.folder / "none"), "out").stderr, r"^\[Errno 2\] .*\n$")
        self.assertRegex(self.run_it(spec, str(self.folder)).stderr, r"^\[Errno 17\] .*\n$")
        (self.folder / "bad.json").write_text("[]")
        self.assertRegex(self.run_it(str(self.folder / "bad.json"), "out").stderr, r"bad.json is no list of .*\n$")

    def test_wrong_use_is_told_without_a_traceback(self) -> None:
        (self.folder / "bad.json").write_text("[]")
        for arguments in ([], ["a"], ["nonesuch", "out"], [str(self.folder / "bad.json"), "out"], ["--lock", "x"]):
            done = self.run_it(*arguments)
            self.assertEqual(done.returncode, 1, arguments)
            self.assertNotIn("Traceback", done.stderr)


def listing(folder: Path) -> dict[str, object]:
    """What Nix keeps of a tree."""
    found: dict[str, object] = {}
    for path in folder.rglob("*"):
        if path.is_symlink():
            found[str(path.relative_to(folder))] = str(path.readlink())
        elif path.is_file():
            found[str(path.relative_to(folder))] = (path.read_bytes(), os.access(path, os.X_OK))
        else:
            found[str(path.relative_to(folder))] = None
    return found


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    unittest.main()

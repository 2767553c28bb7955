"""A zip is read in place, to the byte; one that is not what it says is refused, by name and reason."""

import struct
import tempfile
import unittest
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

from archive import Archive, folder
from member import CHUNK, Misrecorded, Refused, digest, read

CENTRAL = b"PK\1\2"
FLAGS, METHOD, COMPRESSED, SIZE = 8, 10, 20, 24
"""Where the central directory says so, from its header on."""

Fill = Callable[[zipfile.ZipFile], None]


class ArchiveTest(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.path = Path(temporary.name) / "a.zip"

    def make(self, fill: Fill, method: int = zipfile.ZIP_STORED) -> Archive:
        with zipfile.ZipFile(self.path, "w", method) as z:
            fill(z)
        return Archive(self.path, "owner")

    def change(self, at: int, value: bytes) -> None:
        """Change the last entry of the central directory."""
        data = bytearray(self.path.read_bytes())
        at += data.rindex(CENTRAL)
        data[at : at + len(value)] = value
        self.path.write_bytes(data)

    def refuse(self, message: str, kind: type[Refused] = Refused) -> None:
        with self.assertRaises(Refused) as caught:
            archive = Archive(self.path, "owner")
            for name in archive.files:
                read(archive.content(name))
        self.assertEqual((type(caught.exception), str(caught.exception)), (kind, message))

    def test_what_is_no_zip_is_refused(self) -> None:
        self.path.write_bytes(b"<html>")
        self.refuse("owner: not a zip file (File is not a zip file)")

    def test_folders_are_no_files_and_what_follows_them_counts(self) -> None:
        def fill(z: zipfile.ZipFile) -> None:
            z.mkdir("sub")
            z.writestr("sub/a", b"1")

        self.assertEqual([*self.make(fill).files], ["sub/a"])

    def test_a_name_that_is_there_twice_is_refused(self) -> None:
        with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(self.path, "w") as z:
            z.writestr("a", b"1")
            z.writestr("a", b"1")
        self.refuse("owner: a is there twice")

    def test_a_path_that_leaves_the_folder_is_refused(self) -> None:
        with zipfile.ZipFile(self.path, "w") as z:
            z.writestr("../a", b"1")
        self.refuse("owner: the path '../a' is not a plain relative path")

    def test_encryption_and_other_compressions_are_refused(self) -> None:
        self.make(lambda z: z.writestr("a", b"1"))
        self.change(FLAGS, b"\1")
        self.refuse("owner: a is encrypted or compressed in an unknown way")
        with zipfile.ZipFile(self.path, "w", zipfile.ZIP_BZIP2) as z:
            z.writestr("a", b"1")
        self.refuse("owner: a is encrypted or compressed in an unknown way")

    def test_flags_that_say_nothing_of_encryption_are_no_hindrance(self) -> None:
        self.make(lambda z: z.writestr("a", b"1"))
        self.change(FLAGS, struct.pack("<H", 0xFFFE & ~(1 << 5)))
        archive = Archive(self.path, "owner")
        self.assertEqual(read(archive.content("a")), b"1")

    def test_a_file_begins_behind_the_extra_field_of_its_own_header(self) -> None:
        """Which may be another one than that of the central directory."""

        def fill(z: zipfile.ZipFile) -> None:
            with z.open("large", "w", force_zip64=True) as out:
                out.write(b"content")
            info = zipfile.ZipInfo("both")
            info.extra = struct.pack("<HH4s", 0x7075, 4, b"none")
            z.writestr(info, b"more")

        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            archive = self.make(fill, method)
            self.assertEqual([read(archive.content(n)) for n in ("large", "both")], [b"content", b"more"])

    def test_files_of_any_size_are_whole_in_pieces_of_a_bounded_size(self) -> None:
        for size in (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5):
            data = bytes(i * 7 % 251 for i in range(size))

            def fill(z: zipfile.ZipFile, data: bytes = data) -> None:
                z.writestr("a", data)

            for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                content = self.make(fill, method).content("a")
                pieces = [bytes(piece) for piece in content.chunks()]
                self.assertEqual((b"".join(pieces), content.size), (data, size))
                if method == zipfile.ZIP_STORED:
                    self.assertEqual([len(p) for p in pieces[:-1]], [CHUNK] * ((size - 1) // CHUNK if size else 0))

    def test_a_file_that_is_elsewhere_than_the_directory_says_is_refused(self) -> None:
        self.make(lambda z: z.writestr("a", b"12345"))
        good = self.path.read_bytes()
        for at in range(4):
            self.path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
            self.refuse("owner: a: the zip file is damaged")
        self.path.write_bytes(good)
        self.change(COMPRESSED, struct.pack("<II", len(good), len(good)))
        self.refuse("owner: a: the zip file is damaged")

    def test_a_stored_file_of_two_sizes_is_refused(self) -> None:
        for size in (4, 6):
            self.make(lambda z: z.writestr("a", b"12345"))
            self.change(SIZE, struct.pack("<I", size))
            self.refuse("owner: a: the zip file is damaged")

    def test_broken_compressed_data_names_the_file(self) -> None:
        self.make(lambda z: z.writestr("a", b"12345"))
        self.change(METHOD, struct.pack("<H", zipfile.ZIP_DEFLATED))
        with self.assertRaisesRegex(Refused, "^owner: a: the compressed data "):
            read(Archive(self.path, "owner").content("a"))

    def test_bytes_are_checked_by_their_recorded_hash_or_else_by_the_zips_checksum(self) -> None:
        archive = self.make(lambda z: z.writestr("a", b"unique bytes"))
        sha256 = digest(archive.content("a"))
        good = self.path.read_bytes()
        self.path.write_bytes(good.replace(b"unique bytes", b"broken bytes"))
        self.refuse("owner: the bytes of a are not the recorded ones")
        with self.assertRaises(Misrecorded) as caught:
            read(Archive(self.path, "owner").content("a", sha256))
        self.assertEqual(str(caught.exception), "owner: the bytes of a are not the recorded ones")
        self.path.write_bytes(good)
        self.change(16, b"\0\0\0\0")  # the checksum
        self.assertEqual(read(Archive(self.path, "owner").content("a", sha256)), b"unique bytes")
        self.refuse("owner: the bytes of a are not the recorded ones")

    def test_a_file_that_anybody_may_run_is_a_program(self) -> None:
        modes = {0o100: 0o755, 0o010: 0o755, 0o001: 0o755, 0o4755: 0o755, 0o666: 0o644, 0: 0o644, 0o7000: 0o644}

        def fill(z: zipfile.ZipFile) -> None:
            for mode in modes:
                info = zipfile.ZipInfo(f"{mode:o}")
                info.external_attr = (mode << 16) | 0xFFFF
                z.writestr(info, b"")

        archive = self.make(fill)
        self.assertEqual({int(name, 8): archive.mode(name) for name in archive.files}, modes)


class FolderTest(ArchiveTest):
    def members(self, below: str, *exclude: str) -> dict[str, tuple[str, bytes, int]]:
        found = folder(self.make(self.fill), below, "opt", frozenset(exclude))
        return {m.path: (m.owner, read(m.content) if m.content else b"", m.mode) for m in found}

    def fill(self, z: zipfile.ZipFile) -> None:
        for name in ("top/a", "topper/b", "top/sub/c", "z"):
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o755 if name.endswith("c") else 0o644) << 16
            z.writestr(info, name)

    def test_only_what_is_below_it_is_taken(self) -> None:
        self.assertEqual(
            self.members("top"),
            {"opt/a": ("owner", b"top/a", 0o644), "opt/sub/c": ("owner", b"top/sub/c", 0o755)},
        )

    def test_excluded_files_are_left_out(self) -> None:
        self.assertEqual([*self.members("top", "a")], ["opt/sub/c"])

    def test_what_is_not_there_cannot_be_excluded(self) -> None:
        with self.assertRaisesRegex(Refused, r"^owner: nothing to exclude at no, topper/b$"):
            self.members("top", "topper/b", "a", "no")

    def test_a_folder_without_files_is_refused(self) -> None:
        for below, exclude in (("to", ()), ("top", ("a", "sub/c"))):
            with self.assertRaisesRegex(Refused, f"^owner: there is no folder {below} in it$"):
                self.members(below, *exclude)


if __name__ == "__main__":
    unittest.main()

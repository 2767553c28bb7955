from datetime import UTC, datetime

import pytest

from pycomfy.core.debian.release import parse_release, signed_text

A, B, C = "a" * 64, "b" * 64, "c" * 64

RELEASE = f"""\
Origin: Debian
Codename: bookworm-security
Valid-Until: Sun, 29 Nov 2026 02:09:05 UTC
Acquire-By-Hash: yes
MD5Sum:
 d41d8cd98f00b204e9800998ecf8427e 7 main/binary-amd64/Packages.xz
SHA256:
 {A}        9 main/binary-amd64/Packages
 {B}        8 main/binary-amd64/Packages.gz
 {C}        7 main/binary-amd64/Packages.xz
 {A}        5 main/binary-arm64/Packages
 {A}        5 ../../etc/passwd
"""


def test_the_best_compression_of_an_architecture_is_chosen() -> None:
    release = parse_release(RELEASE)
    amd64, arm64 = release.packages("amd64"), release.packages("arm64")
    assert amd64 is not None and arm64 is not None
    assert (amd64.path, amd64.sha256, amd64.size) == ("main/binary-amd64/Packages.xz", C, 7)
    assert arm64.path == "main/binary-arm64/Packages"
    assert release.packages("riscv64") is None


def test_an_index_is_got_by_its_hash_where_the_archive_offers_it() -> None:
    release, old = parse_release(RELEASE), parse_release(RELEASE.replace("Acquire-By-Hash: yes\n", ""))
    file = release.packages("amd64")
    assert file is not None
    assert release.index_path(file) == f"main/binary-amd64/by-hash/SHA256/{C}"
    assert old.index_path(file) == "main/binary-amd64/Packages.xz"


def test_name_and_expiry_are_read() -> None:
    release = parse_release(RELEASE)
    assert release.codename == "bookworm-security"
    assert release.valid_until == datetime(2026, 11, 29, 2, 9, 5, tzinfo=UTC)


def test_paths_that_climb_are_not_there() -> None:
    assert all(not p.startswith((".", "/")) for p in parse_release(RELEASE).files)


@pytest.mark.parametrize("text", ["", "<html>", "SHA256:", "Valid-Until: tomorrow", "SHA256:\n x y z\n"])
def test_what_is_no_release_has_nothing(text: str) -> None:
    release = parse_release(text)
    assert (release.codename, release.valid_until, dict(release.files)) == ("", None, {})


def test_only_the_signed_text_is_read() -> None:
    message = (
        "Codename: evil\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nCodename: good\n- -dashed\n"
        "-----BEGIN PGP SIGNATURE-----\nxxx\n-----END PGP SIGNATURE-----\nCodename: evil\n"
    )
    assert signed_text(message) == "Codename: good\n-dashed\n"
    assert signed_text("Codename: evil\n") == ""

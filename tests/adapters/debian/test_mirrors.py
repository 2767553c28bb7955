from functools import partial
from pathlib import Path

import pytest

from pycomfy.adapters.debian.mirrors import MAIN, SECURITY, Mirrors, find_mirrors
from pycomfy.errors import BadConfig

DEB822 = """\
# https://commented.invalid
Types: deb deb-src
URIs: https://main.invalid/debian/
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: https://security.invalid/debian
Suites:
 bookworm-security
# a comment
 trixie-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://off.invalid/debian
Suites: trixie trixie-security
Enabled: no
"""

ONE_LINE = """\
# deb https://commented.invalid bookworm main
deb-src https://source.invalid bookworm main
deb cdrom:[Debian]/ bookworm main
deb [arch=amd64 signed-by=/x.gpg] https://main.invalid/debian bookworm main contrib
deb https://security.invalid/debian bookworm-security main
"""

UBUNTU = "deb https://ubuntu.invalid/ubuntu noble main\ndeb https://ubuntu.invalid/ubuntu noble-security main\n"
VENDOR = "deb https://vendor.invalid/apt cloud-sdk-bookworm main\n"

EXPECTED = Mirrors("https://main.invalid/debian", "https://security.invalid/debian")


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "a-vendor.list").write_text(VENDOR)
    return tmp_path


def test_both_kinds_of_apts_files_are_read(apt: Path) -> None:
    (apt / "sources.list.d" / "debian.sources").write_text(DEB822)
    assert find_mirrors(None, None, suite="bookworm", environment={}, apt=apt) == EXPECTED
    (apt / "sources.list.d" / "debian.sources").unlink()
    (apt / "sources.list").write_text(ONE_LINE)
    assert find_mirrors(None, None, suite="bookworm", environment={}, apt=apt) == EXPECTED


def test_a_mirror_of_one_release_serves_the_others(apt: Path) -> None:
    (apt / "sources.list").write_text(ONE_LINE)
    assert find_mirrors(None, None, suite="trixie", environment={}, apt=apt) == EXPECTED


def test_settings_go_before_the_environment_before_apt(apt: Path) -> None:
    (apt / "sources.list").write_text(ONE_LINE)
    find = partial(find_mirrors, suite="bookworm", environment={MAIN: "file:///mirror/debian/"}, apt=apt)
    assert find(None, None) == Mirrors("file:///mirror/debian", EXPECTED.security)
    found = find("https://set.invalid", "https://sec.invalid/")
    assert found == Mirrors("https://set.invalid", "https://sec.invalid")


def test_another_distributions_archive_is_not_taken_and_the_setting_is_named(apt: Path) -> None:
    (apt / "sources.list").write_text(UBUNTU)
    with pytest.raises(BadConfig, match=MAIN):
        find_mirrors(None, None, suite="bookworm", environment={}, apt=apt)
    with pytest.raises(BadConfig, match=SECURITY):
        find_mirrors("https://main.invalid", None, suite="bookworm", environment={}, apt=apt)


@pytest.mark.parametrize(
    "url", ["ftp://x", "/mirror", "--help", "https://x/y z", "https://x?y", "https://u:p@x/debian", "https://[", "a\nb"]
)
def test_addresses_that_cannot_go_into_a_lock_are_refused(url: str, apt: Path) -> None:
    with pytest.raises(BadConfig):
        find_mirrors(url, "https://security.invalid", suite="bookworm", environment={}, apt=apt)


def test_an_address_with_a_login_is_refused_without_showing_it() -> None:
    for address in ("https://me:s3cr3t@h/debian", "ftp://me:s3cr3t@h/debian", "https://me:s3cr3t@h/debian?x"):
        with pytest.raises(BadConfig) as error:
            find_mirrors(address, None, suite="bookworm")
        assert "s3cr3t" not in str(error.value)

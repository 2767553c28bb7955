import os
import subprocess
from pathlib import Path

import pytest

from pycomfy.adapters.io.disks import look_at_disk


def test_a_folder_that_is_not_there_is_on_the_disk_of_its_nearest_parent(tmp_path: Path) -> None:
    found = look_at_disk(tmp_path / "a" / "b")
    assert (found.folder, found.present, found.exists) == (tmp_path / "a" / "b", tmp_path, False)
    assert 0 < found.free <= found.total and found.device == tmp_path.stat().st_dev and found.writable
    assert not (tmp_path / "a").exists()
    there = look_at_disk(tmp_path)
    assert there.exists and there.disk == found.disk


def test_a_link_that_leads_nowhere_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    assert look_at_disk(tmp_path / "link").present == tmp_path


def test_a_small_disk_is_seen_with_its_kind_and_its_room(tmp_path: Path) -> None:
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", tmp_path]).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        found = look_at_disk(tmp_path / "data")
        assert (found.file_system, found.total) == ("tmpfs", 1 << 20)
        assert found.disk != look_at_disk(Path("/")).disk
        with (tmp_path / "much").open("wb") as f, pytest.raises(OSError, match="No space"):
            while True:
                os.write(f.fileno(), bytes(65536))
        assert look_at_disk(tmp_path / "data").free == 0
        subprocess.run(["mount", "-o", "remount,ro", tmp_path], check=True)
        assert not look_at_disk(tmp_path).writable
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_the_kind_is_that_of_the_innermost_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
        f"2 1 0:5 / {tmp_path.parent} rw shared:3 - btrfs /dev/sdb rw\n"
        f"3 1 0:6 / {str(tmp_path)[:-1]} rw - vfat /dev/sdz rw\n"
        "4 1 broken\n"
        f"5 2 0:7 / {tmp_path}/with\\040space rw - nfs4 server:/x rw\n"
    )
    (tmp_path / "with space").mkdir()
    inner = look_at_disk(tmp_path / "with space" / "data", mounts)
    assert (inner.file_system, inner.is_network, inner.disk) == ("nfs4", True, str(tmp_path.stat().st_dev))
    outer = look_at_disk(tmp_path, mounts)
    assert (outer.file_system, outer.is_network, outer.disk) == ("btrfs", False, "/dev/sdb")
    assert look_at_disk(tmp_path, tmp_path / "none").file_system == ""

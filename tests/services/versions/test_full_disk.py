"""A version that does not fit on the disk: whatever first finds that, git or SQLite, the disk is called full."""

from pathlib import Path

import pytest

from pycomfy.adapters.io.paths import Paths
from pycomfy.errors import NoSpace
from tests.support.service_projects import make_files, record, with_steps
from tests.support.small_disks import small_disk


@pytest.mark.parametrize(("options", "step"), [("size={}k", 12), ("size=8m,nr_inodes={}", 1)], ids=["bytes", "files"])
def test_a_full_disk_is_called_that_at_each_step(tmp_path: Path, options: str, step: int) -> None:
    """Step by step it gets further, until the disk is large enough."""
    for room in range(step, 100 * step, step):
        with small_disk(tmp_path / "data", options.format(room)) as data:
            try:
                for number in (1, 2):
                    record(Paths(data, data / "cache"), make_files("hello", with_steps(number)))
                break
            except NoSpace as e:
                assert "MB free" in e.what, e
    assert room > 20 * step

"""Which tests a process of pytest-xdist gets: a file whole, the longest files first, and all that change one thing.

The stories that work in the demo's home folder are one group: no two of them at once. The others only start its image.
"""

import functools
from pathlib import Path

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

ROOT = Path(__file__).parents[2]

DEMO = "the demo's home folder"
_USES_DEMO = "demo: Demo"

# The longest first, so that at the end no process has a long file while another has none. Those that need the demo are
# behind others: while one process makes it, another has work without it.
FIRST = (
    DEMO,
    "tests/stories/test_three_packs.py",
    "tests/nix/test_sudden_ends.py",
    "tests/record/test_every_file.py",
    "tests/nix/test_at_once.py",
    "tests/stories/test_same_lock.py",
    "tests/stories/test_capture.py",
    "tests/stories/test_run_image.py",
    "tests/stories/test_gateway.py",
    "tests/stories/frontend/test_browser.py",
    "tests/stories/app/test_app.py",
    "tests/stories/test_gateway_floods.py",
    "tests/stories/test_gateway_sdk.py",
    "tests/nix/test_nix_alone.py",
    "tests/nix/test_gc.py",
    "tests/nix/test_sources_once.py",
    "tests/nix/test_bundle.py",
    "tests/nix/test_canary.py",
    "tests/nix/test_flake.py",
)


@functools.cache
def group(file: str) -> str:
    """Return what the tests of a file have in common with those of other files: they run in one process, in turn."""
    path = ROOT / file
    return DEMO if path.is_file() and _USES_DEMO in path.read_text() else file


def rank(group: str) -> int:
    """Return the place of a group; the first one is begun first."""
    return FIRST.index(group) if group in FIRST else len(FIRST)


class LongestFirst(LoadFileScheduling):  # type: ignore[misc]
    """`--dist loadfile`, in the order of `FIRST`; behind them the files with the most tests first."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid.split("::", 1)[0])

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(min(self.workqueue, key=rank), last=False)
        super()._assign_work_unit(node)

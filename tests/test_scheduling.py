"""In which order, and in which company, the processes of the tests get them."""

import re
from collections import OrderedDict

from tests.support.scheduling import DEMO, FIRST, ROOT, LongestFirst, group

STORIES = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests/stories").rglob("test_*.py"))]


def test_what_is_begun_first_is_there() -> None:
    assert [name for name in FIRST if name != DEMO and not (ROOT / name).is_file()] == []


def test_the_stories_that_take_the_demo_are_one_group_and_the_others_are_not_in_it() -> None:
    taking = {name for name in STORIES if re.search(r"def \w+\([^)]*\bdemo\b", (ROOT / name).read_text())}
    assert {"tests/stories/test_restore.py", "tests/stories/test_main_job.py"} < taking < set(STORIES)
    assert {name for name in STORIES if group(name) == DEMO} == taking
    assert {group(name) for name in set(STORIES) - taking} == set(STORIES) - taking


class Process:
    """One that keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[int] = []

    def send_runtest_some(self, numbers: list[int]) -> None:
        self.sent += numbers


def test_a_process_gets_a_group_whole_and_the_longest_one_first() -> None:
    many, restore, main = "tests/core/x.py", "tests/stories/test_restore.py", "tests/stories/test_main_job.py"
    tests = [f"{many}::a", f"{many}::b", f"{main}::a", f"{FIRST[1]}::a", f"{restore}::a"]
    process, scheduler = Process(), object.__new__(LongestFirst)
    scheduler.assigned_work, scheduler.workqueue = {}, OrderedDict()
    scheduler.registered_collections = {process: tests}
    for name in tests:
        scheduler.workqueue.setdefault(scheduler._split_scope(name), {})[name] = False
    for _ in range(3):
        scheduler._assign_work_unit(process)
    assert [tests[number] for number in process.sent] == [tests[n] for n in (2, 4, 3, 0, 1)]

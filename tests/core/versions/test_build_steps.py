"""A pack's build steps, in a version to go on working in and in the difference of two."""

from pycomfy.core.lockfile.config import parse_config
from pycomfy.core.lockfile.schema import Lock, Step, parse_lock, render_lock
from pycomfy.core.versions.checkout_files import working_files
from pycomfy.core.versions.diff import diff
from pycomfy.core.versions.diff_text import describe_diff
from pycomfy.core.versions.snapshot import read_snapshot
from tests.support.service_projects import make_files

RUN = ("python", "install.py", 'a "b"\n')


def with_steps(files: dict[str, bytes]) -> dict[str, bytes]:
    lock: Lock = parse_lock(files["pycomfy.lock"].decode())
    packs = tuple(pack.model_copy(update={"steps": (Step(run=RUN),)}) for pack in lock.packs)
    return {**files, "pycomfy.lock": render_lock(lock.model_copy(update={"packs": packs})).encode()}


def test_a_version_to_work_in_has_the_steps_of_its_lock() -> None:
    files = with_steps(make_files("hello"))
    made = working_files("hello", read_snapshot("x", files), files)
    config = parse_config(made["pycomfy.toml"].decode())
    assert [step.run for step in config.packs["painter"].steps] == [RUN]
    assert made["pycomfy.lock"] == files["pycomfy.lock"]


def test_another_step_is_another_pack() -> None:
    files = make_files("hello")
    found = diff(read_snapshot("old", files), read_snapshot("new", with_steps(files)))
    (line,) = describe_diff(found)
    assert line.startswith("node pack painter: ") and "then " in line and "python install.py " in line
    assert "\n" not in line

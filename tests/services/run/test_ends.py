"""However a job ends, in a real container, what it had made is where it was asked for, or it is said where it is."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from pycomfy.adapters.containers.arguments import Limits
from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.job_folder import KEPT_DAYS
from pycomfy.adapters.containers.job_protocol import JobRequest
from pycomfy.adapters.containers.layout import LayoutImage, read_layout
from pycomfy.adapters.database.database import Database, database_path
from pycomfy.adapters.io import process
from pycomfy.adapters.io.paths import Paths
from pycomfy.errors import BadInput, NoSpace, PycomfyError, RunFailed
from pycomfy.services.run.run import RunOptions, RunRequest, RunResult, run_image
from pycomfy.services.workspace import Workspace
from tests.support.operations import Recorder, listening
from tests.support.service_projects import make_files, record_layout
from tests.support.small_disks import small_disk
from tests.support.tiny_image import write_layout
from tests.support.waiting import HANG, wait_until

NAME = "pycomfy-ends"
HANGING = "while read ignored; do :; done; exit 143"
MADE = "mkdir -p /data/output/sub; echo made > /data/output/sub/made.txt\n"
SCRIPT = f"""read request
if [ -e /data/input/script ]; then . /data/input/script; else {MADE} {HANGING}; fi
"""
OUTPUT = {"event": "output", "node": "9", "kind": "images", "media_type": "image/png", "type": "output"}
DONE = {"event": "done", "outputs": 1, "seconds": 3.0}
ERROR = {"event": "error", "type": "ValueError", "message": "no", "node": "9"}


def says(*events: Mapping[str, object]) -> str:
    return "\n".join(f"echo '{json.dumps(e)}'" for e in events) + "\n"


@dataclass(frozen=True)
class Image:
    engine: Engine
    layout: LayoutImage


@pytest.fixture(scope="module")
def image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """A shell that runs the script among the job's inputs, and hangs with one output made if there is none."""
    programs = ("mkdir", "ln", "mkfifo", "head", "truncate")
    layout = read_layout(write_layout(tmp_path_factory.mktemp("ends") / "layout", script=SCRIPT, programs=programs))
    yield Image(engine, layout)
    process.run(engine.command("rmi", "--force", layout.config_digest.removeprefix("sha256:")))


@dataclass
class Job:
    """One job, `script`, whose outputs go to `out`; `remarks` is what was reported."""

    image: Image
    home: Path
    out: Path
    recorder: Recorder

    @property
    def paths(self) -> Paths:
        return Paths(self.home, self.home / "cache")

    def run(self, script: str, *, timeout: float | None = None, limits: Limits | None = None) -> RunResult:
        inputs = self.home / "cache" / "inputs"
        inputs.mkdir(parents=True)
        (inputs / "script").write_text(script)
        request = RunRequest(NAME, RunOptions(self.out, limits=limits), JobRequest(timeout=timeout), inputs=inputs)
        return run_image(Workspace(self.paths), self.image.engine, self.image.layout, NAME, request)

    def saved(self) -> dict[str, str]:
        return {p.relative_to(self.out).as_posix(): p.read_text() for p in self.out.rglob("*") if p.is_file()}

    def kept(self) -> list[Path]:
        return sorted(p for p in (self.home / "unsaved").rglob("*") if p.is_file())


@pytest.fixture
def job(image: Image, tmp_path: Path) -> Iterator[Job]:
    with listening() as heard:
        made = Job(image, tmp_path / "home", tmp_path / "out", heard)
        yield made
    assert list(made.home.glob("jobs/*")) == []


MADE_ONLY = {"sub/made.txt": "made\n"}


def test_after_a_nodes_error(job: Job) -> None:
    with pytest.raises(RunFailed, match="no"):
        job.run(MADE + says(ERROR) + "exit 1")
    assert job.saved() == MADE_ONLY
    assert f"note: saved {job.out / 'sub' / 'made.txt'}" in job.recorder.remarks
    assert not any("incomplete" in remark for remark in job.recorder.remarks), "ComfyUI lives on after it"


def test_after_a_timeout_inside(job: Job) -> None:
    timeout = {"event": "error", "type": "timeout", "message": "the job took longer than 3 s"}
    half = "echo half > /data/output/half.mp4\n"
    named = {**OUTPUT, "file": "made.txt", "subfolder": "sub", "path": "output/sub/made.txt"}
    with pytest.raises(RunFailed, match="longer than 3 s"):
        events = (timeout, named, {"event": "unfinished", "path": "output/half.mp4"})
        job.run(MADE + half + says(*events) + "exit 1")
    assert job.saved() == {**MADE_ONLY, "half.mp4": "half\n"}
    assert [r for r in job.recorder.remarks if "incomplete" in r] == [
        f"warning: {job.out / 'half.mp4'} may be incomplete: it was being written, or had just changed, when the job"
        " was ended"
    ]


def test_after_a_container_that_does_not_end(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pycomfy.adapters.containers.job_protocol.OVERTIME", 0.0)
    limit = 1.0
    while not job.out.exists() or not job.saved():  # else it did not even begin in that time
        limit *= 2
        with pytest.raises(RunFailed, match="did not end within"):
            job.run(MADE + HANGING, timeout=limit)
    assert job.saved() == MADE_ONLY


def test_after_a_crash(job: Job) -> None:
    with pytest.raises(RunFailed, match="ended with status 9"):
        job.run(MADE + "exit 9")
    assert job.saved() == MADE_ONLY


def test_after_memory_was_used_up(job: Job) -> None:
    if not job.image.engine.limits_memory:
        pytest.skip("this engine cannot limit memory here")
    grow = "x=0123456789abcdef; while :; do x=$x$x; done"
    with pytest.raises(RunFailed, match="its memory was used up") as caught:
        job.run(MADE + grow, limits=Limits(memory=64 << 20))
    assert "memory=SIZE" in caught.value.fix
    assert not Path("oom").exists(), "conmon leaves it where Podman was started"
    assert job.saved() == MADE_ONLY


@pytest.mark.parametrize(("number", "status"), [("INT", 130), ("TERM", 143), ("HUP", 129)])
def test_after_a_signal_to_us(job: Job, number: str, status: int) -> None:
    record_layout(job.paths, make_files(NAME), job.image.layout)
    command = [sys.executable, "-m", "pycomfy", "run", NAME, "-o", str(job.out), "--models", "none"]
    environment = {**os.environ, "PYCOMFY_HOME": str(job.home)}
    us = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    wait_until(lambda: list(job.home.glob("jobs/run-*/output/sub/made.txt")))
    us.send_signal(getattr(signal, f"SIG{number}"))
    _, told = us.communicate(timeout=HANG)
    assert (us.returncode, job.saved()) == (status, MADE_ONLY)
    assert f"saved {job.out}/sub/made.txt" in told
    with Database(database_path(job.paths)) as database:
        (recorded,) = database.runs(NAME)
    assert recorded.error == "the run was ended"
    assert [output.path for output in recorded.outputs] == [str(job.out / "sub" / "made.txt")]


def test_after_pycomfy_was_killed(job: Job) -> None:
    """The next job finds what is left, keeps it and says where."""
    record_layout(job.paths, make_files(NAME), job.image.layout)
    command = [sys.executable, "-m", "pycomfy", "run", NAME, "-o", str(job.out), "--models", "none"]
    us = subprocess.Popen(command, env={**os.environ, "PYCOMFY_HOME": str(job.home)}, stderr=subprocess.DEVNULL)
    wait_until(lambda: list(job.home.glob("jobs/run-*/output/sub/made.txt")))
    us.kill()
    us.wait(HANG)
    shutil.rmtree(job.home / "cache", ignore_errors=True)
    job.run(says(DONE))
    (kept,) = job.kept()
    assert kept.read_text() == "made\n"
    assert any("pycomfy was killed" in remark and str(kept.parents[2]) in remark for remark in job.recorder.remarks)


def test_after_a_full_disk_in_data(job: Job) -> None:
    with small_disk(job.home, "size=8m"):
        fill = "head -c 100000000 /dev/zero > /data/output/big 2>/dev/null || true\n"
        with pytest.raises(PycomfyError) as caught:
            job.run(MADE + fill + says({**ERROR, "message": "No space left on device"}) + HANGING)
        assert isinstance(caught.value, NoSpace) or "No space left" in caught.value.what
        assert job.saved()["sub/made.txt"] == "made\n"
        assert list((job.home / "jobs").iterdir()) == []


def test_a_job_is_ended_before_it_takes_the_last_of_the_disk(job: Job) -> None:
    with small_disk(job.home, "size=64m"):
        fill = "head -c 50000000 /dev/zero > /data/output/big\n"
        with pytest.raises(NoSpace, match="the container was ended: no space left") as caught:
            job.run(MADE + fill + HANGING, timeout=HANG)
        assert "keep_free=SIZE" in caught.value.fix
        assert (job.out / "sub" / "made.txt").read_text() == "made\n"


def test_a_job_is_ended_before_it_makes_the_last_file_of_the_disk(job: Job) -> None:
    with small_disk(job.home, "size=64m,nr_inodes=4000"):
        many = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); : > /data/temp-$i; done\n"
        with pytest.raises(NoSpace, match=r"room for only \d+ more") as caught:
            job.run(MADE + many + HANGING, timeout=HANG)
        assert "keep_free" in caught.value.fix and "fewer files" in caught.value.fix
        assert (job.out / "sub" / "made.txt").read_text() == "made\n"


def test_after_a_full_disk_at_the_output(job: Job) -> None:
    with small_disk(job.out, "size=1m"):
        big = "head -c 5000000 /dev/zero > /data/output/big\n"
        with pytest.raises(NoSpace, match="1 output could not be saved: no space left") as caught:
            job.run(MADE + big + says(DONE))
        assert job.saved() == MADE_ONLY
        big_, made = job.kept()
    assert big_.stat().st_size == 5_000_000 and made.name == "made.txt"
    assert str(big_.parents[1]) in caught.value.where and f"{KEPT_DAYS} days" in caught.value.where


def test_a_full_disk_at_the_output_is_told_before_the_job(job: Job) -> None:
    with small_disk(job.out, "size=8k"):
        (job.out / "full").write_bytes(b"x" * 8192)
        with pytest.raises(NoSpace):
            job.run("echo x > /data/output")
    assert not (job.home / "logs").exists(), "nothing was begun"


def test_an_output_that_cannot_be_a_folder_is_told_before_the_job(job: Job) -> None:
    job.out.touch()
    with pytest.raises(BadInput) as caught:
        job.run(MADE)
    assert "output=DIR" in caught.value.fix


def test_with_odd_names(job: Job) -> None:
    names = ["renders\\hello.png", "-rf", ".hidden", "con.txt", "\x1b[31mred", "漢" * 80 + ".txt", "two\nlines"]
    script = MADE + "cd /data/output\n"
    for name in names:
        quoted = "'" + name + "'"
        script += f"echo x > ./{quoted}\n"
    script += "f=$(printf 'caf\\351.txt'); echo x > \"$f\"; ln -s /etc/passwd link; mkfifo fifo; ln -s /etc sub2\n"
    forged = [
        {**OUTPUT, "path": path, "file": "x"}
        for path in ("output/link", "output/fifo", "output/sub2/passwd", "output/gone", "../x", "/etc/passwd")
    ]
    outputs = [
        {**OUTPUT, "file": "../../../../x\ny", "subfolder": "../../-rf", "path": "output/sub/made.txt"},
        {**OUTPUT, "file": "caf\udce9.txt", "path": "output/caf\udce9.txt"},
    ]
    result = job.run(script + says(*forged, *outputs, DONE).replace("\\", "\\\\"))
    assert sorted(job.saved()) == sorted(
        [
            "renders_hello.png",
            "_rf-2",
            "_hidden",
            "_con.txt",
            "_[31mred",
            "漢" * 65 + ".txt",
            "two_lines",
            "caf_.txt",
            "_rf/x_y",
        ]
    )
    assert len(result.outputs) == 9 and all(output.complete for output in result.outputs)
    assert any("6 lines of the container's events not taken" in remark for remark in job.recorder.remarks)


def test_with_a_flood(job: Job) -> None:
    long = "x=0123456789abcdef; while [ ${#x} -lt 3000000 ]; do x=$x$x; done\n"
    script = MADE + long
    script += 'for i in 1 2 3; do printf \'%s\\n\' "$x"; echo \'{"event": "log", "line": "\'$x\'"}\'; done\n'
    script += "echo $x >&2; i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo nonsense; done\n"
    named = {**OUTPUT, "file": "made.txt", "path": "output/sub/made.txt"}
    script += says(named, {**named, "node": "10"}, {**named, "node": None}, DONE)
    result = job.run(script)
    assert [o.node for o in result.outputs] == ["9", "10"], "one file, which two nodes named"
    assert list(job.saved()) == ["made.txt"]
    assert [r for r in job.recorder.remarks if "3006 lines" in r and "more than 1 MiB" in r]


def test_what_is_not_saved_is_removed_after_a_while(job: Job) -> None:
    unsaved = job.home / "unsaved"
    for name, days in (("old", KEPT_DAYS + 1), ("new", KEPT_DAYS - 1)):
        (unsaved / name / "output").mkdir(parents=True)
        changed = (unsaved / name).stat().st_mtime - days * 86400
        os.utime(unsaved / name, (changed, changed))
    with contextlib.suppress(PycomfyError):
        job.run(says(DONE))
    assert [p.name for p in unsaved.iterdir()] == ["new"]


def test_a_limit_of_processes_that_stops_the_start_is_named_with_its_option(job: Job) -> None:
    with pytest.raises(RunFailed) as caught:
        job.run('echo "RuntimeError: can\'t start new thread" >&2; exit 1')
    assert "pids=N" in caught.value.fix

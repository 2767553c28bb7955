"""What a real container may do, and that it is gone afterwards, whatever happens."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pycomfy.adapters.containers.arguments import ContainerSpec, Limits
from pycomfy.adapters.containers.engine import Engine, StartableImage
from pycomfy.adapters.containers.process import MAX_ERROR, Exit, LineLimit, LineTooLong, run_container
from pycomfy.adapters.io import process
from pycomfy.errors import NoSpace, RunFailed
from tests.support.operations import listening
from tests.support.waiting import HANG, wait_until

WAIT = "while read ignored; do :; done; "


def containers(runner: "Runner") -> set[str]:
    """Those of this test's image; others may be running beside."""
    filters = ("--filter", "name=pycomfy-", "--filter", f"ancestor={runner.spec.image.id}")
    listed = process.run(runner.engine.command("ps", "--all", "--quiet", *filters)).stdout
    return set(listed.decode().split())


class Runner:
    def __init__(self, engine: Engine, image: StartableImage, data: Path) -> None:
        self.engine, self.spec = engine, ContainerSpec(image, ("exit 0",), data)
        self.lines: list[bytes] = []

    def run(self, script: str, stdin: bytes = b"", limit: float | None = HANG) -> Exit:
        return run_container(self.engine, replace(self.spec, command=(script,)), stdin, self.lines.append, limit)


@pytest.fixture
def runner(engine: Engine, shell: StartableImage, tmp_path: Path) -> Runner:
    return Runner(engine, shell, tmp_path)


def test_lines_status_and_errors_come_back(runner: Runner) -> None:
    ended = runner.run("read a; read b; echo $b; printf $a; echo worse >&2; exit 3", b"one\ntwo\n")
    assert (ended, runner.lines) == (Exit(3, "worse"), [b"two", b"one"])


def test_a_large_request_and_a_large_answer_do_not_block_one_another(runner: Runner) -> None:
    line = b"x" * 300_000 + b"\n"
    assert runner.run("read a; echo $a; read b; echo $b", line * 2).status == 0
    assert runner.lines == [line.rstrip()] * 2


def test_what_is_kept_of_a_flood_is_bounded(runner: Runner) -> None:
    """Sixty lines of 16 MiB each were kept."""
    grow = "x=0123456789abcdef; while [ ${#x} -lt 16777216 ]; do x=$x$x; done; "
    ended = runner.run(grow + "for i in 1 2 3; do printf '%s\\n' $x >&2; done; echo last >&2; exit 1")
    assert ended.errors.endswith("last") and len(ended.errors) < 4 * (MAX_ERROR + 1)
    with pytest.raises(LineTooLong, match="a line of more than 16 MiB"):
        runner.run(grow + "printf '%s' $x; printf '%s' $x")


def test_a_long_line_can_be_left_out_and_the_others_come(runner: Runner) -> None:
    longer: list[int] = []
    script = "echo first; x=0123456789; printf '%s%s\\n' $x $x; printf '%s' $x$x$x; echo; echo last; printf end"
    spec = replace(runner.spec, command=(script,))
    limit = LineLimit(15, lambda: longer.append(1))
    run_container(runner.engine, spec, b"", runner.lines.append, HANG, line_limit=limit)
    assert (runner.lines, len(longer)) == ([b"first", b"last", b"end"], 2)


def test_what_it_says_when_it_is_ended_is_still_passed_on(runner: Runner) -> None:
    def leave(line: bytes) -> None:
        runner.lines.append(line)
        if line == b"up":
            raise LookupError

    with pytest.raises(LookupError):
        spec = replace(runner.spec, command=(f"echo up; {WAIT} echo bye",))
        run_container(runner.engine, spec, b"", leave)
    assert runner.lines == [b"up", b"bye"]


def test_a_container_cannot_take_more_than_its_limits(runner: Runner) -> None:
    """Processes, /tmp and memory, as the kernel of this machine holds them."""
    if not (runner.engine.limits_memory and runner.engine.limits_pids):
        pytest.skip("this engine cannot set limits here")
    runner.spec = replace(runner.spec, limits=Limits(memory=64 << 20, tmp=4096, pids=4))
    x = "x=0123456789abcdef; while [ ${#x} -lt 20000 ]; do x=$x$x; done; "
    runner.run(x + "(echo $x > /tmp/a) 2>/dev/null || echo full; exit 0")
    assert runner.lines == [b"full"]
    # What runs in the background has no standard input, and would not wait.
    forks = "exec 3<&0; n=0; while [ $n -lt 9 ]; do n=$((n+1)); { read ignored <&3; } & done; echo all"
    assert runner.run(forks).status != 0 and runner.lines == [b"full"]
    ended = runner.run("x=0123456789abcdef; while :; do x=$x$x; done")
    assert ended.status == 137 and ended.out_of_memory


def test_an_engine_that_is_refused_its_limits_starts_the_container_without(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container whose cgroups cannot be written: the real engine stands behind one that refuses."""
    real = shutil.which(runner.engine.kind)
    refusing = tmp_path / "bin" / runner.engine.kind
    refusing.parent.mkdir()
    refused = "echo 'Error: runc create failed: unable to apply cgroup configuration: permission denied' >&2; exit 126"
    refusing.write_text(f'#!/bin/sh\ncase "$*" in *--memory=*) {refused};; esac\nexec {real} "$@"\n')
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{refusing.parent}:{os.environ['PATH']}")
    (tmp_path / "data").mkdir()
    runner.spec = replace(runner.spec, data=tmp_path / "data")
    with listening() as heard:
        for _ in range(2):
            # It answers, as all of ours do: what is said before that may come before Podman listens.
            assert runner.run("read ignored; echo started", b"go\n").status == 0
    assert runner.lines == [b"started"] * 2
    assert [r for r in heard.remarks if "cannot limit memory and processes here" in r] == heard.remarks
    assert len(heard.remarks) == 1


def test_a_container_can_write_to_data_and_tmp_and_nowhere_else(runner: Runner) -> None:
    script = "for f in /data/a /tmp/a /a /bin/a; do (echo x > $f) 2>/dev/null && echo $f; done; exit 0"
    runner.run(script)
    assert runner.lines == [b"/data/a", b"/tmp/a"]
    assert (runner.spec.data / "a").read_text() == "x\n"


def test_a_container_has_no_root_no_capabilities_and_no_network(runner: Runner) -> None:
    runner.run(
        'while read a b; do echo "$a $b"; done < /proc/self/status; while read a; do echo "$a"; done < /proc/net/dev'
    )
    status = dict(line.decode().split(" ", 1) for line in runner.lines if b": " in line)
    assert status["Uid:"].split()[0] != "0"
    assert {int(status[f"Cap{kind}:"], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
    assert status["NoNewPrivs:"] == "1"
    devices = [line for line in runner.lines if line.split(b":")[0] in (b"lo", b"eth0")]
    assert [d.split(b":")[0] for d in devices] == [b"lo"]


def test_models_can_be_read_but_not_written(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> None:
    models = tmp_path_factory.mktemp("models")
    (models / "m").write_text("weights\n")
    models.chmod(0o777)
    runner.spec = replace(runner.spec, models=models)
    runner.run("read w < /models/m; echo $w; (echo x > /models/m) 2>/dev/null || echo refused; exit 0")
    assert runner.lines == [b"weights", b"refused"]


def test_a_container_that_takes_too_long_is_ended(runner: Runner) -> None:
    limit = 1
    while not runner.lines:  # else it did not even begin in that time
        limit *= 2
        with pytest.raises(RunFailed, match=f"did not end within {limit} s"):
            runner.run(f"echo up; {WAIT} echo left > /data/left", limit=limit)
        assert containers(runner) == set()
    assert (runner.spec.data / "left").exists(), "it had the time to leave by itself"


def test_an_error_in_the_listener_ends_the_container(runner: Runner) -> None:
    def fail(line: bytes) -> None:
        raise LookupError(line)

    with pytest.raises(LookupError):
        run_container(runner.engine, replace(runner.spec, command=(f"echo x; {WAIT}",)), b"", fail)
    assert containers(runner) == set()


def test_a_container_that_ignores_everything_is_removed(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pycomfy.adapters.containers.process.GRACE_PERIOD", 0.5)
    with pytest.raises(RunFailed, match="within"):
        runner.run("trap '' TERM; while :; do read x; done", limit=1)
    assert containers(runner) == set()


def test_an_image_that_is_not_there_is_a_failure_of_the_engine(runner: Runner) -> None:
    runner.spec = replace(runner.spec, image=StartableImage("f" * 64))
    with pytest.raises(RunFailed, match="could not start the container"):
        runner.run("exit 0")


@pytest.mark.parametrize("said", ["Error: write /x: no space left on device", "mkdir /x: disk quota exceeded"])
def test_an_engine_on_a_full_disk_is_called_that(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    full = tmp_path / "bin" / runner.engine.kind
    full.parent.mkdir()
    full.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 125\n")
    full.chmod(0o755)
    monkeypatch.setenv("PATH", f"{full.parent}:{os.environ['PATH']}")
    with pytest.raises(NoSpace, match="has no space for the container"):
        runner.run("exit 0")


@pytest.mark.parametrize(("number", "status"), [("TERM", 143), ("HUP", 129), ("INT", 130), ("KILL", -9)])
def test_a_signal_to_us_leaves_no_container_behind(runner: Runner, number: str, status: int) -> None:
    command = f"echo up; {WAIT} echo left > /data/left"
    script = f"""
import signal, sys
from pathlib import Path
from pycomfy.adapters.containers.arguments import ContainerSpec
from pathlib import PosixPath
from pycomfy.adapters.containers.engine import StartableImage, find_engine
from pycomfy.adapters.containers.process import run_container
signal.signal(signal.SIGINT, signal.default_int_handler)
spec = ContainerSpec({runner.spec.image!r}, ({command!r},), Path({str(runner.spec.data)!r}))
try:
    run_container(find_engine({runner.engine.kind!r}), spec, b"", lambda line: print(line, flush=True))
except KeyboardInterrupt:
    sys.exit(130)
"""
    us = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": "."})
    assert us.stdout and us.stdout.readline() == b"b'up'\n"
    us.send_signal(getattr(signal, f"SIG{number}"))
    assert us.wait(HANG) == status
    us.stdout.close()
    wait_until(lambda: containers(runner) == set())
    assert (runner.spec.data / "left").exists()

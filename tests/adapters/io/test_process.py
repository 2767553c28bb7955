import sys
from pathlib import Path

import pytest

from pycomfy.adapters.io.process import Limit, PastLimit, run

FLOOD = "import os\nwhile True: os.write({}, b'x' * 4096)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize("stream", [1, 2])
def test_a_program_that_prints_without_end_is_ended(stream: int) -> None:
    with pytest.raises(PastLimit, match="it printed more than 1 MiB"):
        run(python(FLOOD.format(stream)), limit=Limit(seconds=600, output=1 << 20))


def test_a_program_that_does_not_end_is_ended_with_what_it_started(tmp_path: Path) -> None:
    with pytest.raises(PastLimit, match="took too long"):
        run(["sh", "-c", "sleep 600 & sleep 600"], limit=Limit(seconds=0.1))
    with pytest.raises(PastLimit, match="took too long"):
        run(["sh", "-c", "exec >&- 2>&-; sleep 600"], limit=Limit(seconds=0.1))


def test_within_its_limit_a_program_gets_and_gives_everything() -> None:
    data = bytes(range(256)) * 4096
    code = "import sys; sys.stderr.write('done'); sys.stdout.buffer.write(sys.stdin.buffer.read()); sys.exit(3)"
    done = run(python(code), stdin=data, limit=Limit(seconds=600))
    assert (done.returncode, done.stdout, done.stderr) == (3, data, b"done")


def test_a_program_that_does_not_read_is_no_error() -> None:
    assert run(["true"], stdin=b"x" * (1 << 20), limit=Limit(seconds=600)).returncode == 0


def test_a_program_that_needs_more_memory_fails() -> None:
    code = "import sys; sys.stdin.read()\ntry: bytes(1 << 30)\nexcept MemoryError: print('no')"
    assert run(python(code), limit=Limit(seconds=600, memory=256 << 20)).stdout == b"no\n"

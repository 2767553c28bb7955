"""`lock` as a person meets it: a picture instead of a file, and a question on a terminal."""

import fcntl
import hashlib
import json
import os
import pty
import select
import struct
import subprocess
import termios
import zlib
from pathlib import Path

import pytest

from tests.support.catalog_maps import A, B, lists
from tests.support.cli_projects import Place, refused
from tests.support.repositories import commit
from tests.support.waiting import HANG, wait_until

FILES = Path(__file__).parents[1] / "adapters" / "metadata" / "files"


def png(workflow: bytes) -> bytes:
    text = b"workflow\0" + workflow
    chunk = b"tEXt" + text
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(text)) + chunk + struct.pack(">I", zlib.crc32(chunk))


def test_a_picture_is_locked_by_the_workflow_in_it(place: Place) -> None:
    place.project()
    workflow = (place.work / "workflow.json").read_bytes()
    place.write("card.png", png(workflow))
    made = place.run("lock", "card.png", "--json")
    assert made.status == 0, made.err
    lock = made.json()["lock"]
    assert lock["name"] == "card" and lock["workflow"]["sha256"] == hashlib.sha256(workflow).hexdigest()
    place.write("card.json", workflow)
    again = place.run("lock", "card.json", "--json")
    assert again.status == 0 and again.json()["lock"] == lock, "the same workflow in a file of its own"
    place.write("card.png", png(workflow.replace(b"HelloCard", b"SaveImage")))
    refusal = refused(place, "build", "card.png", "--locked", "--no-prove", code="bad-lock")
    assert "another state of the workflow" in refusal.told


@pytest.mark.parametrize("name", ["saved.webp", "saved.mp4", "saved.flac"])
def test_every_kind_that_comfyui_saves_is_taken(place: Place, name: str) -> None:
    place.project()
    place.write(name, (FILES / name).read_bytes())
    outcome = place.run("lock", name, "--json")
    assert outcome.status == 0 or outcome.json()["error"]["code"] in ("unknown-node", "problems"), outcome.err


@pytest.fixture
def ambiguous(place: Place, tmp_path: Path) -> Place:
    """A workflow whose HelloCard may be of A or of B, as the Manager's list on GitHub says; GitHub is a folder."""
    forge = tmp_path / "forge"
    code = "class N: pass\nNODE_CLASS_MAPPINGS = {'HelloCard': N}\n"
    for url in (A, B):
        commit(forge / url.removeprefix("https://github.com/"), {"__init__.py": code})
    files = lists({A: (["HelloCard"],), B: (["HelloCard"],)}, (), {A: {"stars": 5}, B: {"stars": 50}})
    commit(forge / "Comfy-Org" / "ComfyUI-Manager", files)
    place.env.update(
        GIT_CONFIG_COUNT="1",
        GIT_CONFIG_KEY_0=f"url.file://{forge}/.insteadOf",
        GIT_CONFIG_VALUE_0="https://github.com/",
    )
    return place.project(sources='[comfyui]\npath = "ComfyUI"\n')


def reads_standard_input(pid: int) -> bool:
    """Whether one of its threads is in read(2), which has one of these two numbers, of file 0."""
    calls = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/syscall")]
    return any(call[:2] in (["0", "0x0"], ["63", "0x0"]) for call in calls)


def on_terminal(place: Place, typed: str, *arguments: str) -> tuple[int, str]:
    """The exit status of `pycomfy` on a terminal of its own, and what stands on it; `typed` answers the question."""
    ours, theirs = pty.openpty()
    environment = {**place.env, "TERM": "xterm", "NO_COLOR": "1"}
    with subprocess.Popen(
        place.command(*arguments),
        cwd=place.work,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C arrives
    ) as started:
        os.close(theirs)
        shown = b""
        while select.select([ours], [], [], HANG)[0]:
            try:
                data = os.read(ours, 1 << 16)
            except OSError:  # the other end is closed
                break
            shown += data
            if typed and b"Enter for none" in shown:
                # Ctrl-C is lost on a process that has asked already but does not read yet.
                wait_until(lambda: reads_standard_input(started.pid))
                os.write(ours, typed.encode())
                typed = ""
        else:
            started.kill()
        status = started.wait(HANG)
    os.close(ours)
    return status, shown.decode(errors="replace")


def test_on_a_terminal_the_pack_is_chosen_by_its_number_and_asked_no_more(ambiguous: Place) -> None:
    status, shown = on_terminal(ambiguous, "2\n", "lock", ".")
    assert status == 0, shown
    assert "which node pack?" in shown and "bob/ComfyUI-B" in shown and "50 stars" in shown
    (pack,) = ambiguous.change_lock()["packs"]
    assert pack["source"]["url"] == A
    assert f'prefer = ["{A}"]' in shown, "how to settle it for good"
    status, shown = on_terminal(ambiguous, "", "lock", ".")
    assert status == 0 and "which node pack?" not in shown


@pytest.mark.parametrize(
    ("command", "typed"), [("lock", "\n"), ("lock", "\x04"), ("build", "\n")], ids=["enter", "end", "build"]
)
def test_no_answer_is_the_refusal_with_the_words_that_settle_it(ambiguous: Place, command: str, typed: str) -> None:
    status, shown = on_terminal(ambiguous, typed, command, ".")
    assert status == 1, shown
    assert shown.count("error:") == 1 and "--prefer bob/ComfyUI-B" in shown
    assert not ambiguous.lock.exists()


def test_ctrl_c_at_the_question_leaves_nothing(ambiguous: Place) -> None:
    status, shown = on_terminal(ambiguous, "\x03", "lock", ".")
    assert status == 130 and "interrupted" in shown and "Traceback" not in shown
    assert not ambiguous.lock.exists() and not ambiguous.half_written()


def test_nobody_is_asked_without_a_terminal_or_by_a_program(ambiguous: Place) -> None:
    refusal = refused(ambiguous, "lock", ".", code="ambiguous-node")
    assert "which node pack?" not in refusal.err
    status, shown = on_terminal(ambiguous, "", "lock", ".", "--json")
    assert status == 1 and "which node pack?" not in shown
    assert json.loads(shown[shown.index('{"error"') :].splitlines()[0])["error"]["code"] == "ambiguous-node"
    assert ambiguous.run("lock", ".", "--prefer", "bob/ComfyUI-B").status == 0

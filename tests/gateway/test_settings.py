"""Secrets that are given as files, and what is said of those that cannot be used."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pycomfy.gateway.settings import IN_FILES, MAX_SECRET, BadSettings, read_secrets, read_settings
from tests.gateway.image import Image
from tests.gateway.serving import Serving
from tests.support.waiting import HANG

HOOK = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_every_secret_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{HOOK}\r\n")
    given = {f"{name}_FILE": str(tmp_path / "secret") for name in IN_FILES}
    assert read_secrets({**given, "HOME": "/"}) == {**dict.fromkeys(IN_FILES, HOOK), "HOME": "/"}
    settings = read_settings(read_secrets(given))
    assert (settings.webhook_secret, settings.storage_token) == (HOOK, HOOK)
    assert {"PYCOMFY_WEBHOOK_SECRET", "PYCOMFY_STORAGE_TOKEN", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN"} <= {*IN_FILES}
    assert "PYCOMFY_API_KEYS" not in IN_FILES, "its file has a key a line, and is read again"


def test_what_is_empty_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(HOOK)
    path = str(tmp_path / "secret")
    assert read_secrets({"HF_TOKEN": "x", "HF_TOKEN_FILE": ""}) == {"HF_TOKEN": "x"}
    assert read_secrets({"HF_TOKEN": "", "HF_TOKEN_FILE": path}) == {"HF_TOKEN": HOOK}


def test_what_a_setting_takes_is_told_in_words() -> None:
    told = r"^PYCOMFY_WORKERS: not possible \(ComfyUIs: a number, or auto for one for each GPU\)$"
    with pytest.raises(BadSettings, match=told):
        read_settings({"PYCOMFY_WORKERS": "two"})


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def lock_up(path: Path) -> None:
    path.parent.joinpath("loop").symlink_to(path)
    path.symlink_to(path.parent / "loop")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: None, "No such file or directory"),
        (Path.mkdir, "it is no regular file"),
        (make_pipe, "it is no regular file"),
        (lock_up, "Too many levels of symbolic links"),
        (lambda path: path.write_text(""), "the file is empty"),
        (lambda path: path.write_text(" \n"), "the file is empty"),
        (lambda path: path.write_text("x" * (MAX_SECRET + 1)), f"the file has more than {MAX_SECRET} bytes"),
        (lambda path: path.write_text("the-secret\nX-More: 1"), "the file has more than one line"),
        (lambda path: path.write_bytes(b"the-secret\0"), "the file has more than one line"),
        (lambda path: path.write_bytes(b"the-secret\xff"), "it is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_by_its_variable_alone(
    tmp_path: Path, make: Callable[[Path], object], why: str
) -> None:
    path = tmp_path / "named-like-a-secret"
    make(path)
    with pytest.raises(BadSettings) as e:
        read_secrets({"PYCOMFY_STORAGE_TOKEN_FILE": str(path)})
    assert str(e.value).startswith(f"PYCOMFY_STORAGE_TOKEN_FILE: {why}")
    assert "secret" not in str(e.value).lower()


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(HOOK)
    given = {
        "PYCOMFY_STORAGE_TOKEN": "the-token",
        "PYCOMFY_STORAGE_TOKEN_FILE": str(tmp_path / "secret"),
        "AWS_SESSION_TOKEN_FILE": str(tmp_path / "none"),
    }
    with pytest.raises(BadSettings) as e:
        read_secrets(given)
    both = "PYCOMFY_STORAGE_TOKEN_FILE: PYCOMFY_STORAGE_TOKEN is set as well: leave one of them out"
    assert str(e.value) == f"{both}; AWS_SESSION_TOKEN_FILE: No such file or directory"


def test_the_gateway_does_not_start_with_a_file_that_it_cannot_use(image: Image) -> None:
    (image.root / "secret").write_text("not the form of a webhook secret")
    for path in ("secret", "none"):
        process = image.start("serve", environment={"PYCOMFY_WEBHOOK_SECRET_FILE": str(image.root / path)})
        assert process.wait(HANG) == 1


def test_keys_of_s3_may_be_in_files(image: Image) -> None:
    (image.root / "secret").write_text("the-secret")
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    keys = {f"{name}_FILE": str(image.root / "secret") for name in names}
    missing = {**keys, "AWS_ACCESS_KEY_ID_FILE": ""}
    process = image.start("serve", environment={"PYCOMFY_STORAGE": "s3://bucket/x", **missing})
    assert process.wait(HANG) == 1
    serving = Serving(image, wait=True, **{"PYCOMFY_STORAGE": "s3://bucket/x", **keys})
    assert serving.stop() == 0

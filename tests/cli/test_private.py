"""A login that stands in pycomfy.toml is used, and is nowhere else afterwards."""

from pathlib import Path

import pytest

from tests.support.cli_projects import CARD, CONFIG, Place, check_refusal
from tests.support.git_server import serve
from tests.support.repositories import commit

SECRET = "s3cr3t-t0ken"


@pytest.mark.parametrize("login", [f"me:{SECRET}", f"x-access-token:{SECRET}"])
def test_a_login_is_used_and_left_out_of_everything_that_is_kept(place: Place, tmp_path: Path, login: str) -> None:
    with serve(tmp_path / "server", login) as server:
        large = server.pointer(b"weights" * 100)
        files = {"__init__.py": CARD, ".gitattributes": "*.bin filter=lfs\n", "w.bin": large}
        commit(server.folder / "inner", {"a.py": ""})
        commit(server.folder / "card", files)
        place.env.update(GIT_SSL_CAINFO=str(server.certificate), SSL_CERT_FILE=str(server.certificate))
        url = server.with_login("card")
        place.project(sources=f'[comfyui]\npath = "ComfyUI"\n[packs.card]\ngit = "{url}"\n', config=CONFIG)
        outcome = place.run("lock", ".", "--explain")
        assert outcome.status == 0, outcome.err
        shown = outcome.out + outcome.err
        assert server.seen == [] and f"{server.url}/card" in place.lock.read_text()
        refusal = place.run("lock", ".", "--node", f"card={'1' * 40}", "--json")
        check_refusal(refusal, "unpinned-pack")
        shown += refusal.out + refusal.err
    assert SECRET not in shown
    (place.work / "pycomfy.toml").unlink()
    found = [
        p for p in place.root.rglob("*") if p.is_file() and not p.is_symlink() and SECRET.encode() in p.read_bytes()
    ]
    assert found == []


def test_a_login_that_is_wrong_is_not_told(place: Place, tmp_path: Path) -> None:
    with serve(tmp_path / "server", f"me:{SECRET}") as server:
        commit(server.folder / "card", {"__init__.py": CARD})
        place.env.update(GIT_SSL_CAINFO=str(server.certificate))
        url = server.with_login("card", "me:another-s3cr3t")
        place.project(sources=f'[comfyui]\npath = "ComfyUI"\n[packs.card]\ngit = "{url}"\n')
        outcome = place.run("lock", ".", "--json")
        check_refusal(outcome, "unreachable")
        assert "s3cr3t" not in outcome.out + outcome.err and server.seen == []

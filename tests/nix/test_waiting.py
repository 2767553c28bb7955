"""Two processes of Nix may each keep a lock that the other waits for: one that only waits is begun anew."""

import fcntl
import hashlib
import os
import secrets
import threading
from pathlib import Path

import pytest

from pycomfy.adapters.nix import build as module
from pycomfy.adapters.nix.build import BuildTarget, build, evaluate
from tests.support.nix_projects import Workshop
from tests.support.waiting import HANG, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may lock a path of the store")

FETCH = """
{{ platform }}: {{
  it = derivation {{
    name = "waited-for"; builder = "builtin:fetchurl"; system = "builtin"; url = "{url}";
    outputHash = "{sha256}"; outputHashAlgo = "sha256"; outputHashMode = "flat"; preferLocalBuild = true;
  }};
}}
"""


def test_a_nix_that_only_waits_for_another_is_begun_anew_until_the_other_is_done(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.2)
    content = secrets.token_bytes(16)
    (tmp_path / "file").write_bytes(content)
    project, log, made = tmp_path / "project", tmp_path / "log", list[str]()
    project.mkdir()
    text = FETCH.format(url=f"{workshop.address}/file", sha256=hashlib.sha256(content).hexdigest())
    (project / "default.nix").write_text(text)
    plan = evaluate(workshop.settings, BuildTarget(project, "it", "linux/amd64"))
    (path,) = plan.outputs
    thread = threading.Thread(
        target=lambda: made.extend(build(workshop.settings, plan, log, lambda event: None)), daemon=True
    )
    with Path(f"{path}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread.start()
        wait_until(lambda: log.exists() and log.read_text().count("$ ") >= 3)
    thread.join(HANG)
    assert made == [path] and Path(path).read_bytes() == content
    assert f"waiting for lock on '{path}'" in log.read_text()

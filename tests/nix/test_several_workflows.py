"""Two workflows in one folder, built with real Nix: each has its own versions."""

import os

from pycomfy.core.lockfile.schema import Root, render_lock
from tests.support.command_line import Outcome, call
from tests.support.nix_projects import WORKFLOW, Workshop

CONFIG = """
apt = ["ffmpeg"]
[workflows.plain]
accelerator = "cpu"
"""


def test_each_workflow_of_a_folder_has_its_own_versions(workshop: Workshop, root: Root) -> None:
    folder = workshop.folder / "workflows"
    folder.mkdir()
    lock = workshop.lock({"linux/amd64": root}, [], [])
    for name in ("card", "plain"):
        (folder / f"{name}.json").write_bytes(WORKFLOW)
        (folder / f"{name}.lock").write_text(render_lock(lock.model_copy(update={"name": name})))
    (folder / "pycomfy.toml").write_text(CONFIG)

    def run(*words: str) -> Outcome:
        env = {**os.environ, "PYCOMFY_HOME": str(workshop.folder / "home"), "COLUMNS": "300"}
        done = call(*words, cwd=folder, env=env)
        assert done.status == 0, done.err
        return done

    options = ("--locked", "--no-prove", "--no-archive", "--json")
    plans = run("build", "card.json", "plain.json", *options, "--dry-run").json()
    assert not (workshop.folder / "home" / "library.git").exists() and run("log").out == ""
    first = run("build", "card.json", "plain.json", *options).json()
    assert [(p["name"], p["version"], p["new"]) for p in plans] == [("card", 1, True), ("plain", 1, True)]
    assert len(plans[0]["layers"]) == first[0]["layers_built"]
    assert [(r["name"], r["version"], r["new"]) for r in first] == [("card", 1, True), ("plain", 1, True)]
    newer = lock.model_copy(update={"name": "plain", "as_of": "2025-07-01T00:00:00Z"})
    (folder / "plain.lock").write_text(render_lock(newer))
    plans = run("build", "plain.json", "card.json", *options, "--dry-run").json()
    assert [(p["name"], p["version"], p["new"]) for p in plans] == [("plain", 2, True), ("card", 1, False)]
    assert [(p["absent"], p["absent_size"]) for p in plans] == [(0, 0)] * 2 and plans[1]["layers"] == []
    second = run("build", "plain.json", "card.json", *options).json()
    assert len(plans[0]["layers"]) == second[0]["layers_built"]
    assert [(r["name"], r["version"], r["new"]) for r in second] == [("plain", 2, True), ("card", 1, False)]
    assert [(one["name"], one["version"]) for one in run("log", "card", "--json").json()] == [("card", 1)]
    told = run("build", "card.json", "--no-prove", "--dry-run").out
    assert told.startswith("card@1, the same as before, for linux/amd64\n") and "nothing to build" in told
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["card.json", "card.lock", "plain.json", "plain.lock", "pycomfy.toml"]
    )

    run("checkout", "plain", "--to", "copy")
    text = (folder / "copy" / "pycomfy.toml").read_text()
    assert 'name = "plain"' in text and 'accelerator = "cpu"' in text and "workflows" not in text
    files = sorted(path.name for path in (folder / "copy").iterdir())
    assert files == ["pycomfy.lock", "pycomfy.toml", "workflow.json"]
    third = run("build", "copy", *options).json()
    assert (third["name"], third["version"], third["new"]) == ("plain", 2, False)

    plan = run("restore", "plain@1", "--dry-run", "--json").json()
    assert (plan["name"], plan["version"], plan["built"]) == ("plain", 1, True)
    assert plan["manifest_digest"] == first[1]["manifest_digest"]
    run("archive", "fill")
    run("export", "plain@1", "-o", "plain.tar.zst")
    run("rm", "plain", "--force")
    dry = run("import", "plain.tar.zst", "--dry-run", "--json").json()
    assert run("log", "--json").json() == run("log", "card", "--json").json(), "it was not taken in"
    real = run("import", "plain.tar.zst", "--json").json()
    assert {**dry, "commit": real["commit"]} == real and real["new"]

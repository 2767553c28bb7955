"""A canary in the user's home, in a variable and on a server: a container does not get at it. The engine is real."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.io import process
from pycomfy.adapters.io.paths import Paths
from pycomfy.errors import PycomfyError
from pycomfy.services.run.run import RunOptions, RunRequest, run
from pycomfy.services.workspace import Workspace
from tests.support.canaries import Canary, canary_in
from tests.support.operations import listening
from tests.support.service_projects import make_files, record_layout
from tests.support.tiny_image import write_layout

NAME = "pycomfy-canary"
# For bash, which opens a connection by its name.
ATTEMPTS = """
try() {{ if (eval "$2") 2>/dev/null; then echo "$1 got through"; else echo "$1 refused"; fi; }}
try file 'read x < {canary.file} || test -n "$x"'
try network 'exec 3<>/dev/tcp/127.0.0.1/{canary.port}; printf "GET / HTTP/1.0\\r\\n\\r\\n" >&3; read x <&3'
"""
SCRIPT = """
[ -n "$BASH" ] || exec bash "$0"
read request
mkdir -p /data/output
ln -s {canary.file} /data/output/link
{{
  {attempts}
  try link 'read x < /data/output/link || test -n "$x"'
  try writing ': > {canary.written}'
  try root ': > /usr/written'
  try models ': > /models/written'
  echo "variable <$HF_TOKEN>"
}} > /data/output/found.txt
echo '{event}'
echo '{link}'
echo '{done}'
"""


@dataclass(frozen=True)
class Caged:
    canary: Canary
    paths: Paths
    folder: Path


@pytest.fixture
def caged(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Caged]:
    """A version whose image tries all that, as a node in it could."""
    output = {"event": "output", "node": "9", "title": "Save it", "kind": "images", "media_type": "text/plain"}
    found = {**output, "file": "found.txt", "subfolder": "", "type": "output", "path": "output/found.txt"}
    with canary_in(tmp_path, monkeypatch) as canary:
        link = {**found, "file": "link", "path": "output/link"}
        attempts = ATTEMPTS.format(canary=canary)
        # Outside, they get through.
        done = subprocess.run(["bash", "-c", attempts], check=True, capture_output=True, text=True)
        assert done.stdout == "file got through\nnetwork got through\n" and canary.asked == ["/"]
        canary.asked.clear()
        script = SCRIPT.format(
            canary=canary,
            attempts=attempts,
            event=json.dumps(found),
            link=json.dumps(link),
            done=json.dumps({"event": "done", "outputs": 2, "seconds": 1.0}),
        )
        layout = read_layout(write_layout(tmp_path / "layout", script=script, programs=("mkdir", "ln", "bash")))
        paths = Paths(tmp_path / "home", tmp_path / "home" / "cache")
        record_layout(paths, make_files(NAME), layout)
        yield Caged(canary, paths, tmp_path / "out")
        process.run(engine.command("rmi", "--force", layout.config_digest.removeprefix("sha256:")))


def test_a_container_gets_at_nothing_and_what_it_tried_to_give_is_told(caged: Caged) -> None:
    with listening() as heard:
        try:
            run(Workspace(caged.paths), RunRequest(NAME, RunOptions(caged.folder)))
        except PycomfyError as e:
            heard.remarks.append(str(e))
    found = (caged.folder / "found.txt").read_text()
    for attempt in ("file", "network", "link", "writing", "root", "models"):
        assert f"{attempt} refused" in found, found
    assert "variable <>" in found
    # A link to the canary is no output, and that is told.
    assert [path.name for path in caged.folder.iterdir()] == ["found.txt"]
    assert "output/link" in " ".join(heard.remarks)
    caged.canary.assert_untouched(found, *heard.remarks)

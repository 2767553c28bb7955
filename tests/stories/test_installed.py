"""What a user of a release gets: `pip install` of the wheel is enough for the studio, on a machine without Node.js."""

import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import httpx
import pytest
from uv import find_uv_bin

from pycomfy.server.studio_files import FOLDER

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built of the sdist: so what the one lacks, the other lacks, too."""
    if not (FOLDER / "index.html").is_file():
        pytest.skip("the studio's page was not built: make setup")
    out = tmp_path_factory.mktemp("dist")
    uv("build", "--quiet", "--out-dir", str(out))
    assert len(list(out.glob("*.tar.gz"))) == 1
    (found,) = out.glob("*.whl")
    return found


def test_the_installed_wheel_serves_the_studio_without_node(wheel: Path, tmp_path: Path) -> None:
    venv, programs = tmp_path / "venv", tmp_path / "bin"
    programs.mkdir()
    pins = tmp_path / "pins.txt"
    uv("export", "--quiet", "--locked", "--no-dev", "--no-emit-project", "--no-hashes", "--output-file", str(pins))
    uv("venv", "--quiet", str(venv))
    uv("pip", "install", "--quiet", "--python", str(venv), "--constraint", str(pins), str(wheel))
    environment = {"PATH": str(programs), "HOME": str(tmp_path), "PYCOMFY_HOME": str(tmp_path / "data")}
    command = [str(venv / "bin" / "pycomfy"), "serve", "--port", "0", "--no-open", "--json"]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(read_object(process.stdout))
            with httpx.Client(base_url=ready["address"]) as client:
                check_page(client)
                token = {"authorization": f"Bearer {ready['token']}"}
                assert client.get("/api/workflows", headers=token).json() == []
        finally:
            process.terminate()


def read_object(lines: Iterable[str]) -> str:
    """The first JSON object; all that there is where the server ends before."""
    found = []
    for line in lines:
        found.append(line)
        if line == "}\n":
            break
    return "".join(found)


def check_page(client: httpx.Client) -> None:
    """Every file that the page names is there, and is what this checkout has."""
    page = client.get("/").raise_for_status()
    assert page.headers["content-type"].startswith("text/html")
    assets = re.findall(r'(?:src|href)="/?(assets/[^"]+)"', page.text)
    assert {Path(name).suffix for name in assets} >= {".css", ".js"}
    for file in FOLDER.glob("assets/*"):
        assert client.get(f"/assets/{file.name}").raise_for_status().content == file.read_bytes()
    assert {f"assets/{file.name}" for file in FOLDER.glob("assets/*")} >= set(assets)


def uv(*arguments: str) -> None:
    subprocess.run([find_uv_bin(), *arguments], cwd=ROOT, check=True)

"""A ComfyUI in reserve, with a real engine and a small image that waits for its order as the gateway does."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycomfy.adapters.containers.arguments import DEFAULT_LIMITS
from pycomfy.adapters.containers.engine import Engine, StartableImage
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.containers.load import forget, provide
from pycomfy.adapters.containers.node_definitions import DidNotStart
from pycomfy.adapters.containers.spare import ORDER, Spare
from pycomfy.adapters.io import process
from pycomfy.gateway import spare as inside
from tests.support.tiny_image import write_layout
from tests.support.waiting import wait_until

NAME = "pycomfy-spare"
SCRIPT = """
import json, os, select, sys, time
print("started", file=sys.stderr, flush=True)
while not os.path.exists("/run/packs/packs.json"):
    if select.select([0], [], [], 0)[0] and not os.read(0, 1):
        sys.exit("not asked")
    time.sleep(0.02)
order = json.load(open("/run/packs/packs.json"))
if "bad" in order["changed"]:
    sys.exit(3)
try:
    open("/run/packs/mine", "w")
    writable = True
except OSError:
    writable = False
types = {name: {"python_module": open(f"/run/packs/{name}/code").read()} for name in order["changed"]}
types["about"] = {
    "arguments": sys.argv[1:], "removed": order["removed"], "writable": writable,
    "network": sorted(os.listdir("/sys/class/net")),
}
print(json.dumps({"comfyui_version": "0.3.75", "object_info": types, "import_failures": []}))
"""


@pytest.fixture(scope="module")
def image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartableImage]:
    layout = read_layout(write_layout(tmp_path_factory.mktemp("spare") / "layout", linked=True, python=SCRIPT))
    yield provide(engine, layout, NAME)
    forget(engine, layout, NAME)


def containers(engine: Engine) -> list[str]:
    done = process.run(engine.command("ps", "--all", "--format", "{{.Image}} {{.Command}}"))
    return [line for line in done.stdout.decode().splitlines() if NAME in line]


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "code").write_text("new")
    return folder


def test_it_answers_for_the_code_that_it_is_asked_for(
    engine: Engine, image: StartableImage, code: Path, tmp_path: Path
) -> None:
    spare, log = Spare(engine, image, DEFAULT_LIMITS), tmp_path / "cache" / "log"
    try:
        answer = spare.ask({"painter": code}, ["gone"], log)
    finally:
        spare.close()
    assert answer.types["painter"] == {"python_module": "new"}
    about = answer.types["about"]
    assert about["arguments"] == ["object-info", "--packs=/run/packs"] and about["removed"] == ["gone"]
    # As every container that is asked for its nodes.
    assert about["network"] == ["lo"] and not about["writable"]
    assert answer.log == str(log) and log.read_text() == "started\n"
    assert not containers(engine)


def test_one_that_ends_without_an_answer_says_so(
    engine: Engine, image: StartableImage, code: Path, tmp_path: Path
) -> None:
    spare = Spare(engine, image, DEFAULT_LIMITS)
    try:
        with pytest.raises(DidNotStart):
            spare.ask({"bad": code}, [], tmp_path / "log")
    finally:
        spare.close()


def test_one_that_nobody_asks_ends_with_who_made_it(engine: Engine, image: StartableImage) -> None:
    spare = Spare(engine, image, DEFAULT_LIMITS)
    wait_until(lambda: bool(containers(engine)))
    spare.close()
    assert not containers(engine)


def test_both_sides_mean_the_same_file() -> None:
    assert ORDER == inside.ORDER and json.dumps(ORDER) in SCRIPT.replace("/run/packs/", "")

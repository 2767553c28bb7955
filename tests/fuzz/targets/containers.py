"""What an image says: the events of a job, its node definitions, its editor's prompts, its description; and Nix's
log."""

import contextlib
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pycomfy.adapters.containers.image_store import NotLinkable, write_store
from pycomfy.adapters.containers.job_folder import JobFolder
from pycomfy.adapters.containers.job_protocol import Error, JobReport, explain
from pycomfy.adapters.containers.layer_libraries import read_libraries
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.containers.load import write_archive
from pycomfy.adapters.containers.node_definitions import parse_answer
from pycomfy.adapters.io.log_files import LogFile
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix.internal_json import LogReader, explain_failure
from pycomfy.core.prompt.convert import convert
from pycomfy.core.prompt.editor_prompt import MOMENTS, BadAnswer, judge, render_answer
from pycomfy.core.prompt.editor_prompt import parse_answer as parse_editor_answer
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.versions.verification import verify_nodes
from pycomfy.errors import PycomfyError
from pycomfy.services.run.job_progress import JobProgress
from pycomfy.services.run.outputs import save_outputs
from tests.fuzz.formats import JSON, JSON_LINES
from tests.fuzz.target import Target
from tests.support.graphs import OBJECT_INFO, parsed, plain
from tests.support.service_projects import make_lock

SHA256 = "0" * 64
CONFIG, MANIFEST = "1" * 64, "2" * 64

EVENTS = [
    {"event": "starting", "device": "cpu"},
    {"event": "log", "line": "text"},
    {"event": "import-failure", "pack": "a", "message": "no", "traceback": "x"},
    {"event": "ready", "seconds": 1.5, "comfyui_version": "0.3.75"},
    {"event": "executing", "node": "3", "title": "KSampler", "class_type": "KSampler", "index": 1, "of": 2},
    {"event": "progress", "node": "3", "title": "KSampler", "step": 1, "of": 20},
    {
        "event": "output",
        "node": "9",
        "title": "Save",
        "kind": "images",
        "file": "a.png",
        "subfolder": "",
        "type": "output",
        "path": "output/a.png",
        "media_type": "image/png",
        "sha256": SHA256,
        "size": 3,
    },
    {"event": "value", "node": "9", "title": "Show", "kind": "text", "value": ["x", 1.5, {"a": None}]},
    {
        "event": "error",
        "type": "node_error",
        "message": "no",
        "node": "3",
        "title": "K",
        "class_type": "KSampler",
        "details": "d",
        "traceback": "ModuleNotFoundError: No module named 'cv2'",
        "log": "l",
    },
    {"event": "done", "outputs": 1, "seconds": 5.0},
]


def run_events(data: bytes, folder: Path) -> None:
    """The lines of a container; a bad one is refused, and the others count."""
    job = folder / "job"
    (job / "output").mkdir(parents=True)
    (job / "output" / "a.png").write_bytes(b"abc")
    report = JobReport()
    with LogFile(folder / "log") as log, JobProgress(log) as progress:
        for line in data.splitlines():
            if (event := report.read(line)) is not None:
                progress(event)
    saved = save_outputs(report, JobFolder(job, folder / "unsaved", "job"), folder / "out")
    assert any(file.path.read_bytes() == b"abc" for file in saved.files), "the output is lost"
    for error in report.errors:
        if isinstance(error, Error):
            str(explain(error, "log", "x@1"))


def definitions_seeds() -> Sequence[bytes]:
    failures = [{"pack": "painter", "message": "No module named 'cv2'", "traceback": "ModuleNotFoundError: 'cv2'"}]
    modules = {name: {**value, "python_module": "nodes"} for name, value in OBJECT_INFO.items()}
    answer = {"comfyui_version": "0.3.75", "object_info": modules, "import_failures": failures}
    return [json.dumps({**answer, "remarks": [{"pack": "painter", "text": "old"}]}).encode()]


def run_definitions(data: bytes, folder: Path) -> None:
    """What an image answers when it is asked for its nodes; any other is refused where it is read."""
    try:
        answer = parse_answer(json.loads(data))
    except (ValueError, RecursionError, KeyError, TypeError):
        return
    workflow = parsed(plain())
    verification = verify_nodes(make_lock("x", b"{}"), collect_requirements(workflow).nodes, replace(answer, log=""))
    [str(problem) for problem in verification.problems("x")]
    verification.warnings()
    convert(workflow, answer.types)


def editor_seeds() -> Sequence[bytes]:
    prompt = convert(parsed(plain()), OBJECT_INFO)
    return [json.dumps({"prompts": [prompt] * len(MOMENTS), "errors": [], "dialogs": []}).encode()]


def run_editor(data: bytes, folder: Path) -> None:
    workflow = parsed(plain())
    try:
        answer = parse_editor_answer(data)
    except BadAnswer:
        return
    parse_editor_answer(render_answer(answer))
    judge(convert(workflow, OBJECT_INFO), answer, workflow, Definitions(OBJECT_INFO))


def layout_seeds() -> Sequence[bytes]:
    digest = f"sha256:{SHA256}"
    return [
        json.dumps(
            {
                "index": {"manifests": [{"digest": f"sha256:{MANIFEST}"}]},
                "blob": {
                    "config": {"digest": f"sha256:{CONFIG}", "size": 3},
                    "layers": [{"digest": digest, "size": 3}],
                    "rootfs": {"diff_ids": [digest]},
                    "os": "linux",
                    "architecture": "amd64",
                    "history": [{"created_by": "pycomfy layer"}],
                },
                "layer": {"files": {"a.so": ["x", SHA256]}, "exceptions": {"a.so": [0o600, 1000, 1000]}},
            }
        ).encode()
    ]


def run_layout(data: bytes, folder: Path) -> None:
    """An image's layout: one text is its manifest and its configuration, and it has one layer of one file. In place of
    `CONFIG` and `MANIFEST` are the digests that the texts have."""
    try:
        value = json.loads(data)
        index, blob, layer = (json.dumps(value[key]) for key in ("index", "blob", "layer"))
    except (ValueError, RecursionError, KeyError, TypeError):
        index = blob = layer = data.decode("utf-8", "replace")
    config = hashlib.sha256(blob.encode()).hexdigest()
    manifest = hashlib.sha256(blob.replace(CONFIG, config).encode()).hexdigest()
    files = {
        "oci-layout": "{}",
        "index.json": index.replace(MANIFEST, manifest),
        f"blobs/sha256/{config}": blob,
        f"blobs/sha256/{manifest}": blob.replace(CONFIG, config),
        f"layers/{SHA256}/layer.json": layer,
        f"layers/{SHA256}/diff/a.so": "x",
    }
    for file, text in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    image = read_layout(folder)
    read_libraries(image, Paths(folder / "data", folder / "cache"))
    with contextlib.suppress(PycomfyError):
        write_archive(image, "x", io.BytesIO())
    with contextlib.suppress(NotLinkable):
        write_store(image, "x", folder / "store")


NIX_LOG = [
    {"action": "start", "id": 1, "type": 105, "fields": ["/nix/store/00000000000000000000000000000000-layer-a.drv"]},
    {"action": "result", "id": 1, "type": 101, "fields": ["text \x1b[31mred"]},
    {"action": "start", "id": 2, "type": 101, "fields": ["https://x.test/a"]},
    {"action": "result", "id": 2, "type": 105, "fields": [10, 20, 0, 0]},
    {"action": "msg", "level": 0, "msg": "error: builder for '/nix/store/x-layer-a.drv' failed with exit code 1"},
    {"action": "stop", "id": 1},
]


def run_nix_log(data: bytes, folder: Path) -> None:
    reader = LogReader()
    for line in data.decode("utf-8", "replace").splitlines():
        reader.read(f"@nix {line}")
    str(explain_failure(reader, "log"))


TARGETS = (
    Target("job-events", run_events, lambda: [JSON_LINES.encode(EVENTS)], JSON_LINES),
    Target("node-definitions", run_definitions, definitions_seeds, JSON),
    Target("editor-answer", run_editor, editor_seeds, JSON),
    Target("image-layout", run_layout, layout_seeds, JSON),
    Target("nix-log", run_nix_log, lambda: [JSON_LINES.encode(NIX_LOG)], JSON_LINES),
)

"""The proof that an image has what its workflow needs: its own ComfyUI is started and asked."""

import tempfile
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.load import LayoutImage, find_loaded, forget, load, read_layout
from pycomfy.adapters.containers.node_definitions import fetch_node_definitions, read_cached, write_cached
from pycomfy.core.lockfile.fingerprint import environment_fingerprint
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock
from pycomfy.core.prompt.convert import Prompt, convert
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.versions.verification import NodeDefinitions, Verification, verify_nodes
from pycomfy.core.workflow.model import Workflow
from pycomfy.errors import HashMismatch, raise_all
from pycomfy.progress import Task
from pycomfy.services.workspace import Workspace


def cached_definitions(workspace: Workspace, lock: Lock, platform: PlatformName) -> NodeDefinitions | None:
    """What an image of the same ComfyUI, packs and packages answered before."""
    return read_cached(workspace.paths.cache, environment_fingerprint(lock, platform))


def fetch_definitions(workspace: Workspace, lock: Lock, platform: PlatformName, oci: Path) -> NodeDefinitions:
    """Start the image and ask it; the answer is kept for every image with the same environment."""
    chosen, layout = workspace.engine, read_layout(oci)
    with operation.step(f"Load the image into {chosen.kind}") as task:
        task.note(f"{layout.size / 1e9:.2f} GB")
        image = load(chosen, layout, lock.name)
    return ask(workspace, chosen, image, environment_fingerprint(lock, platform))


def ask(workspace: Workspace, engine: Engine, image: str, environment: str) -> NodeDefinitions:
    """Start the loaded image without a GPU, and ask it; the answer is kept under the hash of its environment. Raises
    `DidNotStart`."""
    with operation.step("Start ComfyUI in the image") as task:
        with tempfile.TemporaryDirectory(prefix="pycomfy-") as folder:
            definitions = fetch_node_definitions(engine, image, Path(folder))
        task.note(f"{len(definitions.types)} node types")
    write_cached(workspace.paths.cache, environment, definitions)
    return definitions


def load_instead(workspace: Workspace, lock: Lock, asked: Path, made: Path) -> None:
    """Let the finished image take the place of the one that was asked, which had no prompt yet: its name in the engine
    is then the right one's, and nothing nameless is left."""
    chosen, before, after = workspace.engine, read_layout(asked), read_layout(made)
    load(chosen, after, lock.name)
    if before.config_digest != after.config_digest:
        forget(chosen, before)


def load_recorded(engine: Engine, image: LayoutImage, name: str, task: Task) -> str:
    """The id of an image that was recorded; its layout is not even looked at when the engine has it. Raises
    `HashMismatch` for a layout that is another by now."""
    found = find_loaded(engine, image)
    if found is not None:
        task.note("it is there already")
        return found
    there = read_layout(image.layout)
    if there.manifest_digest != image.manifest_digest:
        raise HashMismatch(
            f"the image is {there.manifest_digest}, but {image.manifest_digest} was recorded",
            where=str(image.layout),
            fix="run `pycomfy build` again",
        )
    task.note(f"{there.size / 1e9:.2f} GB")
    return load(engine, there, name)


def verify_image(lock: Lock, workflow: Workflow, answer: NodeDefinitions) -> Verification:
    """Whether the image that gave the answer has what the workflow needs."""
    return verify_nodes(lock, collect_requirements(workflow, Definitions(answer.types)).nodes, answer)


def make_prompt(proof: Verification, workflow: Workflow, answer: NodeDefinitions) -> Prompt:
    """The workflow's prompt on the ComfyUI that gave the answer. Raises why the proof did not pass; what does not stand
    in the way is only remarked on."""
    raise_all(proof.problems(workflow.where))
    prompt = convert(workflow, answer.types)
    for doubt in proof.doubts():
        operation.report(f"warning: {doubt}")
    return prompt

"""Verify that an image has what its workflow needs: start its own ComfyUI, and ask it for its nodes."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.containers.engine import Engine, StartableImage
from pycomfy.adapters.containers.layout import LayoutImage, read_layout
from pycomfy.adapters.containers.load import find_loaded, forget, provide
from pycomfy.adapters.containers.node_definitions import (
    fetch_node_definitions,
    log_path,
    read_cached,
    write_cached,
)
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.core.lockfile.fingerprint import environment_fingerprint
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock
from pycomfy.core.prompt.convert import Prompt, convert
from pycomfy.core.prompt.lost_values import LostValue
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.requirements.model_files import portable_prompt
from pycomfy.core.versions.verification import NodeDefinitions, Verification, verify_nodes
from pycomfy.core.workflow.model import Workflow
from pycomfy.errors import HashMismatch, raise_all, suggest
from pycomfy.services.workspace import Workspace


def read_cached_definitions(workspace: Workspace, lock: Lock, platform: PlatformName) -> NodeDefinitions | None:
    """Return what an image with the same ComfyUI, node packs and packages answered before, if one did."""
    return read_cached(workspace.paths.cache, environment_fingerprint(lock, platform, read_toolkit().gateway))


def fetch_definitions(workspace: Workspace, lock: Lock, platform: PlatformName, oci: Path) -> NodeDefinitions:
    """Start the image and return its node definitions, which are kept for every image with the same environment. Raises
    `DidNotStart`."""
    image = provide_built(workspace, lock, oci)
    return ask_image(
        workspace, workspace.engine, image, environment_fingerprint(lock, platform, read_toolkit().gateway)
    )


def provide_built(workspace: Workspace, lock: Lock, oci: Path) -> StartableImage:
    """Return an image that was just built as the engine can start it."""
    return _provide(workspace.engine, read_layout(oci), lock.name)


def ask_image(workspace: Workspace, engine: Engine, image: StartableImage, environment: str) -> NodeDefinitions:
    """Start the image without a GPU, and return its node definitions, which are kept under `environment`, the
    fingerprint of ComfyUI, node packs, packages and gateway. Raises `DidNotStart`."""
    with operation.step("Start ComfyUI in the image") as task:
        with scratch_folder() as folder:
            log = log_path(workspace.paths.cache, environment)
            definitions = fetch_node_definitions(engine, image, Path(folder), log, limits=workspace.limits)
        task.note(f"{len(definitions.types)} node types")
    write_cached(workspace.paths.cache, environment, definitions)
    return definitions


def replace_preliminary(workspace: Workspace, lock: Lock, preliminary: Path, finished: Path) -> None:
    """Give the engine the finished image in place of the preliminary one, which had no prompt yet and was started for
    its answer. The engine's name then means the finished image, and no nameless image is left. Both paths are
    layouts."""
    engine, before, after = workspace.engine, read_layout(preliminary), read_layout(finished)
    _provide(engine, after, lock.name)
    if before.config_digest != after.config_digest:
        forget(engine, before, lock.name)


def provide_recorded(engine: Engine, image: LayoutImage, name: str) -> StartableImage:
    """Return a recorded image as the engine can start it. Its layout is not read if the engine has loaded it. Raises
    `HashMismatch` for a layout that has changed since."""
    if not engine.links_images and (loaded := find_loaded(engine, image)) is not None:
        return StartableImage(loaded)
    layout = read_layout(image.layout)
    if layout.manifest_digest != image.manifest_digest:
        raise HashMismatch(
            f"the image is {layout.manifest_digest}, but {image.manifest_digest} was recorded",
            where=str(image.layout),
            fix=suggest("build"),
        )
    return _provide(engine, layout, name)


def _provide(engine: Engine, image: LayoutImage, name: str) -> StartableImage:
    """Return the image for the engine. Only one that has to be loaded takes long enough for a step."""
    if engine.links_images:
        return provide(engine, image, name)
    with operation.step(f"Load the image into {engine.kind}") as task:
        task.note(f"{image.size / 1e9:.2f} GB")
        return provide(engine, image, name)


def verify_image(lock: Lock, workflow: Workflow, answer: NodeDefinitions) -> Verification:
    """Compare what the image answered with what the workflow needs."""
    return verify_nodes(lock, collect_requirements(workflow, Definitions(answer.types)).nodes, answer)


def make_prompt(
    verification: Verification,
    workflow: Workflow,
    answer: NodeDefinitions,
    judge: Callable[[Sequence[LostValue]], object],
) -> Prompt:
    """Return the workflow's prompt for the ComfyUI that gave the answer, with the names of models as Linux has them.
    Raises what the verification found missing, and what `judge` raises about values that have no place in it; failures
    that the workflow does not depend on are reported as warnings."""
    problems = verification.problems(workflow.where)
    for warning in verification.warnings():
        operation.report(f"warning: {warning}")
    if problems:
        _report_more(verification, answer)
    raise_all(problems)
    definitions = Definitions(answer.types)
    return portable_prompt(convert(workflow, definitions, operation.report, judge), definitions)


def _report_more(verification: Verification, answer: NodeDefinitions) -> None:
    """Report what helps with several problems at once."""
    lines = verification.what_to_add
    if lines and len([part for part in verification.parts if not part.provides]) > 1:
        operation.report(f"note: what these node packs lack, together, for pycomfy.toml: {'; '.join(lines)}")
    if answer.log:
        operation.report(f"note: all that ComfyUI printed is in {answer.log}")

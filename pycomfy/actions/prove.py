"""The proof that an image has what its workflow needs: its own ComfyUI is started and asked."""

import tempfile
from pathlib import Path

from pycomfy.errors import Problems, PycomfyError, RunFailed, raise_all
from pycomfy.flow.lock.environment import environment_hash
from pycomfy.flow.lock.model import Lock, PlatformName
from pycomfy.flow.prompt.convert import Prompt, convert
from pycomfy.flow.workflow.model import Workflow
from pycomfy.outside.comfyui import NodeDefinitions, ask_image, read_cached, write_cached
from pycomfy.outside.engine import find_engine, forget, load, read_layout
from pycomfy.outside.home import Home
from pycomfy.progress import Progress


def cached_definitions(lock: Lock, platform: PlatformName, home: Home) -> NodeDefinitions | None:
    """What an image of the same ComfyUI, packs and packages answered before."""
    return read_cached(home.cache, environment_hash(lock, platform))


def ask_definitions(
    lock: Lock, platform: PlatformName, oci: Path, home: Home, progress: Progress, engine: str | None
) -> NodeDefinitions:
    """Start the image and ask it; the answer is kept for every image with the same environment."""
    chosen, layout = find_engine(engine), read_layout(oci)
    with progress.step(f"Load the image into {chosen.kind}") as task:
        task.note(f"{layout.size / 1e9:.2f} GB")
        image = load(chosen, layout, lock.name)
    with progress.step("Start ComfyUI in the image") as task:
        with tempfile.TemporaryDirectory(prefix="pycomfy-") as folder:
            definitions = ask_image(chosen, image, Path(folder))
        task.note(f"{len(definitions.types)} node types")
    write_cached(home.cache, environment_hash(lock, platform), definitions)
    return definitions


def load_instead(lock: Lock, asked: Path, made: Path, engine: str | None) -> None:
    """Let the finished image take the place of the one that was asked, which had no prompt yet: its name in the engine
    is then the right one's, and nothing nameless is left."""
    chosen, before, after = find_engine(engine), read_layout(asked), read_layout(made)
    load(chosen, after, lock.name)
    if before.config_digest != after.config_digest:
        forget(chosen, before)


def make_prompt(workflow: Workflow, definitions: NodeDefinitions, progress: Progress) -> Prompt:
    """The workflow's prompt on that ComfyUI. Raises `UnknownNode` for types it lacks, and with it `RunFailed` for node
    packs it could not import; where no type is missing, such packs are only remarked on."""
    try:
        prompt = convert(workflow, definitions.types)
    except PycomfyError as e:
        raise_all([*_failures(definitions), *(e.problems if isinstance(e, Problems) else (e,))])
        raise
    for failure in definitions.failures:
        progress.say(f"warning: the node pack {failure.pack} cannot be imported, and is not needed: {failure.message}")
    return prompt


def _failures(definitions: NodeDefinitions) -> list[PycomfyError]:
    return [
        RunFailed(
            f"the node pack {f.pack} cannot be imported: {f.message}",
            where=f.traceback.strip()[-1500:],
            fix='if a module is missing, add it to pycomfy.toml: `requirements = ["NAME"]`, and lock again',
        )
        for f in definitions.failures
    ]

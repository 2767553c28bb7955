"""Let ComfyUI's own editor make prompts: in the image for which they are, in a browser that the lock pins.

What it answered is kept by what it depends on, so that the same workflow is asked once for each environment.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pycomfy import operation
from pycomfy.adapters.browser.editor import answer_key, ask_editor, keep, read_kept
from pycomfy.adapters.containers.engine import StartableImage
from pycomfy.adapters.debian.rootfs import make_browser
from pycomfy.adapters.io.temp_dirs import temporary_folder
from pycomfy.core.lockfile.fingerprint import environment_fingerprint
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock
from pycomfy.core.prompt.convert import Prompt
from pycomfy.core.prompt.editor_prompt import BadAnswer, EditorAnswer, judge
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.requirements.model_files import portable_prompt
from pycomfy.core.workflow.model import Workflow
from pycomfy.core.workflow.parse import find_graph
from pycomfy.errors import NetworkError, RunFailed, suggest
from pycomfy.services.workspace import Workspace

MAX_REPORTED = 20
"""Differences that are reported for one workflow."""

OWN_CONVERSION = 'to use pycomfy\'s own conversion, below [editor] in pycomfy.toml: use = "never"'


@dataclass(frozen=True)
class EditorWorkflow:
    """A workflow, its JSON, and the prompt that pycomfy makes of it."""

    workflow: Workflow
    data: bytes
    ours: Prompt


@dataclass(frozen=True)
class Editor:
    """The editor of a lock's images for `platform`, whose gateway has these files. `image` returns such an image
    for the engine, or None if none can be started here; it is called only where an answer is not known."""

    workspace: Workspace
    lock: Lock
    platform: PlatformName
    gateway: Mapping[str, bytes]
    image: Callable[[], StartableImage | None]

    @property
    def is_pinned(self) -> bool:
        """Whether the lock has a browser, so that the editor makes the prompts."""
        return self.lock.platforms[self.platform].browser is not None

    def make_prompts(
        self, workflows: Sequence[EditorWorkflow], definitions: Definitions
    ) -> list[Prompt | RunFailed | None]:
        """Return the prompt of each workflow as the editor sends it, with the names of models as Linux has them; why
        there is none; or None for one that it was not asked, as no image can be started. Where it differs from
        pycomfy's, that is reported. Raises what fetching the browser and starting the image raise."""
        answers = self._answer([find_graph(one.data, where=one.workflow.where) for one in workflows])
        made: list[Prompt | RunFailed | None] = []
        for one, answer in zip(workflows, answers, strict=True):
            made.append(_take(one, answer, definitions) if isinstance(answer, EditorAnswer) else answer)
        return made

    def _answer(self, graphs: Sequence[object]) -> list[EditorAnswer | RunFailed | None]:
        browser = self.lock.platforms[self.platform].browser
        if browser is None:
            raise AssertionError("only a lock with a browser is asked")
        cache = self.workspace.paths.cache
        environment = environment_fingerprint(self.lock, self.platform, self.gateway)
        packages = [package.sha256 for package in browser.packages]
        keys = [answer_key(environment, packages, graph) for graph in graphs]
        answers: list[EditorAnswer | RunFailed | None] = [read_kept(cache, key) for key in keys]
        missing = [i for i, answer in enumerate(answers) if answer is None]
        if not missing or (image := self.image()) is None:
            return answers
        try:
            folder = make_browser(browser, self.platform, self.workspace.paths)
        except NetworkError as e:
            # Debian's mirrors keep the newest version alone.
            e.fixes = (
                *e.fixes,
                suggest("lock", "pins the browser that Debian has now", update=("base",)),
                OWN_CONVERSION,
            )
            raise
        log = self.workspace.log_file(f"editor-{self.lock.name}")
        with (
            operation.step("Ask ComfyUI's editor") as task,
            temporary_folder(self.workspace.paths.jobs, "job-") as data,
        ):
            task.note(f"{len(missing)} workflow{'' if len(missing) == 1 else 's'}")
            graphs_ = [graphs[i] for i in missing]
            found = ask_editor(self.workspace.engine, image, folder, graphs_, data, log, self.workspace.limits)
        for i, answer in zip(missing, found, strict=True):
            if isinstance(answer, BadAnswer):
                answers[i] = _failure(answer, str(log))
            else:
                keep(cache, keys[i], answer)
                answers[i] = answer
        return answers


def _failure(answer: BadAnswer, log: str) -> RunFailed:
    return RunFailed(f"ComfyUI's editor made no prompt: {answer}", where=log, fix=("run it again", OWN_CONVERSION))


def _take(one: EditorWorkflow, answer: EditorAnswer, definitions: Definitions) -> Prompt:
    portable = EditorAnswer(tuple(portable_prompt(prompt, definitions) for prompt in answer.prompts))
    judgement = judge(one.ours, portable, one.workflow, definitions)
    for text in judgement.differences[:MAX_REPORTED]:
        operation.report(f"note: {text}")
    if (more := len(judgement.differences) - MAX_REPORTED) > 0:
        operation.report(f"note: {more} more differences between the editor's prompt and pycomfy's")
    if judgement.drawn:
        operation.report(
            "note: the editor draws these anew each time it queues; the prompt has them as they were saved: "
            + "; ".join(judgement.drawn[:MAX_REPORTED])
        )
    return judgement.prompt

"""Our prompts and those that ComfyUI's own editor makes, in a real browser, from the same workflows."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest

from pycomfy.core.prompt.convert import Prompt, try_convert
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.prompt.text_expansion import Moment, expand_texts
from pycomfy.core.workflow.model import Workflow
from pycomfy.core.workflow.parse import parse_workflow
from tests.stories.frontend.cases.graphs import GRAPHS, LOST
from tests.stories.frontend.cases.pieces import drawn
from tests.stories.frontend.cases.texts import TEXTS
from tests.stories.frontend.chromium import Page
from tests.support.graphs import Json
from tests.support.prompt_comparison import comparable

pytestmark = pytest.mark.story

CONVERT = """async (workflow) => {
  await app.loadGraphData(workflow, true, false);
  return (await app.graphToPrompt()).output;
}"""

QUEUE = """async (workflow, count, time) => {
  await app.loadGraphData(workflow, true, false);
  const api = window.comfyAPI.api.api;
  const kept = [api.queuePrompt, Math.random, Date];
  const sent = [];
  let state = 1;
  class Fixed extends Date {
    constructor(...given) { given.length ? super(...given) : super(...time); }
  }
  try {
    api.queuePrompt = async (_, { output }) => { sent.push(output); return { prompt_id: "x", node_errors: {} }; };
    Math.random = () => (state = (state * 48271) % 2147483647) / 2147483647;
    globalThis.Date = Fixed;
    await app.queuePrompt(0, count);
  } finally {
    [api.queuePrompt, Math.random, globalThis.Date] = kept;
  }
  return sent;
}"""
"""What the editor would send when asked `count` times, by a clock that stands and dice that fall the same each time."""

TRIES = 60
NOW = datetime(2026, 3, 4, 15, 6, 7)


def read(workflow: Json, name: str) -> Workflow:
    return parse_workflow(json.dumps(workflow), where=name)


def as_sent(prompt: Prompt) -> dict[str, Any]:
    return comparable(json.loads(json.dumps(prompt)))


def distinct(prompts: Iterable[dict[str, Any]]) -> set[str]:
    """Each once; `8.0` and `8` are the same number to JavaScript."""

    def number(text: str) -> float:
        value = float(text)
        return int(value) if value.is_integer() else value

    texts = {json.dumps(prompt) for prompt in prompts}
    return {json.dumps(json.loads(text, parse_float=number), sort_keys=True) for text in texts}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_workflow_of_ours_becomes_the_editor_s_prompt(name: str, page: Page, definitions: Definitions) -> None:
    workflow = drawn(GRAPHS[name])
    ours = as_sent(try_convert(read(workflow, name), definitions).prompt)
    for id_, input_ in LOST.get(name, ()):
        del ours[id_][1][input_]
    assert ours == comparable(page.run(CONVERT, workflow))


@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_sent_as_the_editor_sends_them(name: str, page: Page, definitions: Definitions) -> None:
    """Where it chooses, every choice that one makes the other makes too."""
    workflow = drawn(TEXTS[name])
    theirs = page.run(QUEUE, workflow, TRIES, [NOW.year, NOW.month - 1, NOW.day, NOW.hour, NOW.minute, NOW.second])
    file = read(workflow, name)
    prompt = try_convert(file, definitions).prompt
    ours = (expand_texts(prompt, file, definitions, Moment(seed, NOW)) for seed in range(TRIES))
    assert distinct(map(as_sent, ours)) == distinct(map(comparable, theirs))


def test_every_template_becomes_the_editor_s_prompt(
    page: Page, definitions: Definitions, templates: dict[str, Any]
) -> None:
    different = []
    for name, workflow in templates.items():
        ours = as_sent(try_convert(read(workflow, name), definitions).prompt)
        if known(ours, definitions) != known(comparable(page.run(CONVERT, workflow)), definitions):
            different.append(name)
    print(f"{len(templates) - len(different)} of {len(templates)} templates are equal")
    assert not different
    assert len(templates) > 150


def known(prompt: dict[str, Any], definitions: Definitions) -> dict[str, Any]:
    """Of nodes that the server lacks only the links: the editor knows neither their class nor their widgets' names."""
    return {
        id_: (class_, inputs)
        if class_ is not None and definitions.find(class_) is not None
        else {n: v for n, v in inputs.items() if isinstance(v, list)}
        for id_, (class_, inputs) in prompt.items()
    }

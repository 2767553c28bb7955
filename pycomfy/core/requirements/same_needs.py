"""Say whether two states of a workflow need the same of an image, so that the lock of one is that of the other."""

from collections.abc import Mapping
from dataclasses import replace

from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.requirements.model_files import ModelInputs
from pycomfy.core.workflow.dating import latest_date
from pycomfy.core.workflow.model import Workflow


def has_same_needs(before: Workflow, after: Workflow, model_inputs: ModelInputs) -> bool:
    """Return whether both have the same nodes, with the same inputs, outputs and packs, and name the same models; then
    they differ in values, titles, links or places. `model_inputs` are those of the lock."""
    return _list_needs(before, model_inputs) == _list_needs(after, model_inputs)


def _list_needs(workflow: Workflow, model_inputs: ModelInputs) -> Mapping[str, object]:
    found = collect_requirements(workflow, None, model_inputs)
    return {
        "format": workflow.format,
        "nodes": tuple(replace(node, title="") for node in found.nodes),
        "models": found.models,
        "date": latest_date(workflow),
        "versions": workflow.extra.get("node_versions"),
    }

"""Read which inputs of a pack's nodes name model files, and in which of ComfyUI's model folders, from its source."""

import ast
from collections.abc import Collection, Iterator, Mapping

from pycomfy.core.analysis.evaluator import SourceEvaluator
from pycomfy.core.analysis.evaluator_values import Class, Dict, Function, ModelFiles, Value
from pycomfy.core.analysis.node_types import SCHEMA, find_definition, find_node_classes
from pycomfy.core.requirements.model_files import ModelInputs


def find_model_inputs(files: Mapping[str, str], types: Collection[str]) -> ModelInputs:
    """Return for each of a pack's node `types` the inputs whose choices are known from its source: the folder that they
    list (`folder_paths.get_filename_list("loras")`), or None where they are written in the source: such names are no
    files in ComfyUI's model folders. Types and inputs of which nothing is known are left out."""
    sources = SourceEvaluator(files)
    classes = find_node_classes(files, sources)[1]
    found = {type_: dict(_inputs(classes[type_], sources)) for type_ in sorted(types) if type_ in classes}
    return {type_: inputs for type_, inputs in found.items() if inputs}


def _inputs(class_: Class, sources: SourceEvaluator) -> Iterator[tuple[str, str | None]]:
    for name, choices in _choices(class_, sources):
        if isinstance(choices, list):
            files = [one for one in choices if isinstance(one, ModelFiles)]
            if len(files) == 1:
                choices = files[0]
        if isinstance(choices, ModelFiles):
            yield name, choices.folder
        elif isinstance(choices, list) and choices and all(isinstance(one, str) for one in choices):
            yield name, None


def _choices(class_: Class, sources: SourceEvaluator) -> Iterator[tuple[str, Value]]:
    """The inputs of a class and what they may be: `{"required": {NAME: (CHOICES, …)}}`, or `Combo.Input(NAME, CHOICES)`
    in a schema."""
    method = find_definition(class_, sources)
    if method is not None and method.body.name == SCHEMA:
        yield from _schema_choices(method, sources)
    elif method is not None:
        groups = sources.result(method)
        for inputs in groups.items.values() if isinstance(groups, Dict) else ():
            for name, definition in inputs.items.items() if isinstance(inputs, Dict) else ():
                if isinstance(definition, list) and definition:
                    yield name, definition[0]


def _schema_choices(schema: Function, sources: SourceEvaluator) -> Iterator[tuple[str, Value]]:
    names = sources.names(schema)
    for node in ast.walk(schema.body):
        if not (isinstance(node, ast.Call) and _is_combo(node.func)):
            continue
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        name = node.args[0] if node.args else keywords.get("id")
        options = node.args[1] if len(node.args) > 1 else keywords.get("options")
        if isinstance(name, ast.Constant) and isinstance(name.value, str) and options is not None:
            yield name.value, sources.evaluate(options, schema.module, names)


def _is_combo(function: ast.expr) -> bool:
    """Whether it is `io.Combo.Input`."""
    owner = function.value if isinstance(function, ast.Attribute) and function.attr == "Input" else None
    return (owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")) == "Combo"

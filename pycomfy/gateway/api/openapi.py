"""The OpenAPI document of a workflow: what the gateway serves, and what `pycomfy` prints without one."""

import json
import re
import warnings
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from ..graph.interface import Interface
from ..project import Project
from .v1.model import Problem, make_inputs
from .v1.responses import PROBLEM_TYPE

_DESCRIPTION = """\
The workflow as an API, twice over the same jobs: named, typed inputs and outputs under `/v1`, and the official
Comfy API v2 under `/api/v2`, which the Comfy SDKs speak.
"""


_MODULE = re.compile(r"(?:\w+__)?gateway__api__(v[12])__\w+?__(\w+)")
"""What pydantic calls a model where both faces have one of that name; where the package is stands before it."""


def _rename(document: dict[str, Any]) -> dict[str, Any]:
    """The document with names that client generators make good names of: `Job` is the typed face's, `V2Job` the other
    one's, and so are the operations."""

    def name(match: re.Match[str]) -> str:
        return match[2] if match[1] == "v1" else f"V2{match[2]}"

    made: dict[str, Any] = json.loads(_MODULE.sub(name, json.dumps(document)))
    for model, schema in made.get("components", {}).get("schemas", {}).items():
        schema["title"] = model  # which is what generators name it by
    for path, operations in made["paths"].items():
        for operation in operations.values():
            if path.startswith("/api/v2/") and "operationId" in operation:
                operation["operationId"] = "v2" + operation["operationId"][:1].upper() + operation["operationId"][1:]
    return made


def document(app: FastAPI, project: Project) -> dict[str, Any]:
    """OpenAPI 3.1, made once."""
    if app.openapi_schema is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of names that both faces have: `_rename` tells them apart
            made = get_openapi(
                title=project.name,
                version=app.version,
                description=_DESCRIPTION,
                routes=app.routes,
                tags=[
                    {"name": "jobs", "description": "One execution of the workflow each."},
                    {"name": "batches", "description": "Many jobs at once."},
                    {"name": "files", "description": "Inputs and outputs."},
                    {"name": "workflow", "description": "What this image runs."},
                    {"name": "assets", "description": "Files, in the official contract."},
                    {"name": "health", "description": "For engines and Kubernetes."},
                ],
            )
        made = _rename(made)
        components = made.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        _add_schema(schemas, "Problem", Problem)
        _add_inputs(schemas, project.inputs_and_outputs)
        for path, operations in made["paths"].items():
            for method, operation in operations.items():
                _add_errors(path, method, operation)
                for parameter in operation.get("parameters", ()):
                    parameter["schema"] = _without_null(parameter["schema"])
        components.setdefault("securitySchemes", {})["bearerAuth"] = {"type": "http", "scheme": "bearer"}
        made["security"] = [{"bearerAuth": []}, {}]
        app.openapi_schema = _please_generators(made)
    return app.openapi_schema


def _add_schema(schemas: dict[str, Any], name: str, model: type[BaseModel]) -> None:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas[name] = schema


def _add_inputs(schemas: dict[str, Any], interface: Interface) -> None:
    """The inputs as pydantic describes them: FastAPI makes floats of their limits, and a seed's is no float."""
    _add_schema(schemas, "Inputs", make_inputs(interface))
    example = {p.name: p.default for p in interface.parameters if p.default is not None}
    schemas["Inputs"]["examples"] = [example]
    schemas["JobRequest"]["examples"] = [{"inputs": example}]
    swept = next((p for p in interface.parameters if p.is_seed), None) or next(iter(interface.parameters), None)
    sweep: Any = {"start": 1, "stop": 4} if swept is not None and swept.is_seed else [swept.default if swept else None]
    if swept is not None:
        schemas["BatchRequest"]["examples"] = [{"inputs": [example], "sweep": {swept.name: sweep}}]


_COMMON = {
    400: "the request cannot be read",
    401: "no key, or none that is known",
    403: "the key may not do this",
    421: "another host was asked for",
    429: "too many requests: `Retry-After` says when",
    500: "the gateway failed",
    503: "not now: `Retry-After` says when",
}
"""What any request may get, whatever its route."""

_WITH_BODY = {408: "the body did not come in time", 413: "the body is too large"}


def _add_errors(path: str, method: str, operation: dict[str, Any]) -> None:
    """Errors that come from in front of the routes."""
    if "health" in operation.get("tags", ()):
        return
    official = path.startswith("/api/v2")
    schema = {"schema": {"$ref": f"#/components/schemas/{'ErrorEnvelope' if official else 'Problem'}"}}
    content = {"application/json" if official else PROBLEM_TYPE: schema}
    common = {**_COMMON, **_WITH_BODY} if "requestBody" in operation else _COMMON
    responses = operation.setdefault("responses", {})
    for code, description in common.items():
        responses.setdefault(str(code), {"description": description}).setdefault("content", content)
    if method == "head":
        for answer in responses.values():
            answer.pop("content", None)
    operation["responses"] = dict(sorted(responses.items()))


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Of a parameter, which is there or not: FastAPI says that it may be null."""
    forms = [form for form in schema.get("anyOf", ()) if form != {"type": "null"}]
    if len(forms) != 1:
        return schema
    return {**{key: value for key, value in schema.items() if key != "anyOf"}, **forms[0]}


_LIMITS = frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"))


def _please_generators(value: Any) -> Any:
    """Limits such as 64.0 as 64; and files marked in the way of OpenAPI 3.0, too."""
    if isinstance(value, dict):
        file = {"format": "binary"} if value.get("contentMediaType") == "application/octet-stream" else {}
        return file | {
            key: int(part)
            if key in _LIMITS and isinstance(part, float) and part.is_integer()
            else _please_generators(part)
            for key, part in value.items()
        }
    return [_please_generators(part) for part in value] if isinstance(value, list) else value

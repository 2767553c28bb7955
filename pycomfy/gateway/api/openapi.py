"""The OpenAPI document of a workflow: what the gateway serves, and what `pycomfy` prints without one."""

import json
import re
import warnings
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ..project import Project
from .v1.model import Problem

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
                    {"name": "health", "description": "For engines and Kubernetes."},
                ],
            )
        made = _rename(made)
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        security = made["components"].setdefault("securitySchemes", {})
        security["bearerAuth"] = {"type": "http", "scheme": "bearer"}
        made["security"] = [{"bearerAuth": []}, {}]
        app.openapi_schema = made
    return app.openapi_schema

"""The OpenAPI document of a workflow: what the gateway serves, and what `pycomfy` prints without one."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ..project import Project
from .v1.model import Problem

_DESCRIPTION = """\
The workflow as an API, twice over the same jobs: named, typed inputs and outputs under `/v1`, and the official
Comfy API v2 under `/api/v2`, which the Comfy SDKs speak.
"""


def document(app: FastAPI, project: Project) -> dict[str, Any]:
    """OpenAPI 3.1, made once."""
    if app.openapi_schema is None:
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
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        security = made["components"].setdefault("securitySchemes", {})
        security["bearerAuth"] = {"type": "http", "scheme": "bearer"}
        made["security"] = [{"bearerAuth": []}, {}]
        app.openapi_schema = made
    return app.openapi_schema

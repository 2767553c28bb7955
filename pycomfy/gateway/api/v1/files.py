"""`/v1/files`: uploads and outputs."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, UploadFile
from starlette.responses import FileResponse

from ...assets.model import AssetError, NewAsset
from ..access import Authenticated
from ..direct import DirectRoute
from ..state import State
from ..v2.assets import CONTENT, UNCHANGED, Had, explain, find_asset, read_pieces, serve_content
from ..v2.render import base_url
from . import model
from .render import render_file
from .responses import ERRORS, SUBMIT_ERRORS, json_response

router = APIRouter(prefix="/v1/files", tags=["files"], route_class=DirectRoute)

CONTENT_ANSWERS = {**ERRORS, **UNCHANGED, **CONTENT}


@router.post("", status_code=201, response_model=model.FileRecord, responses=SUBMIT_ERRORS, operation_id="uploadFile")
async def upload_file(
    request: Request,
    gateway: State,
    caller: Authenticated,
    file: UploadFile,
    keep: Annotated[int | None, Query(ge=60, le=604_800, description="seconds to keep it")] = None,
) -> Response:
    """Upload a file; its id is the value of an input."""
    seconds = gateway.settings.keep_results if keep is None else keep
    new = NewAsset(
        caller.name, file.content_type, file.filename, expires_at=gateway.clock() + timedelta(seconds=seconds)
    )
    try:
        received = await gateway.assets.receive(read_pieces(file), new, limit=gateway.settings.max_upload)
    except (AssetError, ValueError) as e:
        raise explain(e) from e
    headers = {"Location": f"/v1/files/{received.asset.id}"}
    return json_response(render_file(base_url(gateway, request), received.asset), 201, headers)


@router.get("/{id}", response_model=model.FileRecord, responses=ERRORS, operation_id="getFile")
async def get_file(id: str, request: Request, gateway: State, caller: Authenticated) -> Response:  # noqa: A002
    """What is known of a file."""
    return json_response(render_file(base_url(gateway, request), await find_asset(gateway, caller.name, id)))


@router.get("/{id}/content", responses=CONTENT_ANSWERS, operation_id="getFileContent", response_class=FileResponse)
@router.head(
    "/{id}/content", responses={**ERRORS, **UNCHANGED}, operation_id="headFileContent", response_class=Response
)
async def get_content(id: str, gateway: State, caller: Authenticated, had: Had = None) -> Response:  # noqa: A002
    """The bytes, or a part of them (`Range`); nothing if the caller has them (`If-None-Match`)."""
    return serve_content(gateway, await find_asset(gateway, caller.name, id), had)


@router.delete("/{id}", status_code=204, responses=ERRORS, operation_id="deleteFile")
async def delete_file(id: str, gateway: State, caller: Authenticated) -> Response:  # noqa: A002
    """Delete a file of the caller's; one that a job still needs is kept (409)."""
    try:
        await gateway.assets.delete(id, owner=caller.name)
    except AssetError as e:
        raise explain(e) from e
    return Response(status_code=204)

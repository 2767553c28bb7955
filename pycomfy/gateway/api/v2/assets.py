"""`/api/v2/assets`."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Header, Request, Response, UploadFile
from starlette.responses import FileResponse

from ...assets.model import (
    Asset,
    AssetError,
    AssetInUse,
    BlobLost,
    BlobNotFound,
    HashMismatch,
    NewAsset,
    NoSpace,
    TooLarge,
    UnknownAsset,
    parse_hash,
)
from ..access import Authenticated
from ..direct import DirectRoute
from ..problem import ApiProblem, not_found
from ..state import Gateway, State
from . import model
from .render import base_url, render_asset
from .responses import ASSET_ERRORS, ERRORS, json_response

router = APIRouter(prefix="/api/v2/assets", tags=["assets"], route_class=DirectRoute)

PIECE = 1 << 20

_BYTES = {"schema": {"type": "string", "format": "binary"}}
CONTENT: dict[int | str, dict[str, Any]] = {
    200: {"description": "all bytes", "content": {"application/octet-stream": _BYTES, "*/*": _BYTES}},
    206: {"description": "the bytes of the `Range`", "content": {"application/octet-stream": _BYTES, "*/*": _BYTES}},
    416: {"description": "the file is shorter", "content": {"text/plain": {"schema": {"type": "string"}}}},
}
"""What an answer with a file may be."""

UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "the caller has these bytes (`If-None-Match`)"}}

CONTENT_ANSWERS = {**ERRORS, **UNCHANGED, **CONTENT}

Had = Annotated[
    str | None, Header(alias="If-None-Match", description="values of `ETag`, of bytes that the caller has; or `*`")
]

ExpiresIn = Annotated[int | None, Form(ge=60, le=604_800)]


def explain(error: AssetError | ValueError) -> ApiProblem:
    """The answer for what could not be done with a file."""
    match error:
        case UnknownAsset():
            return not_found("asset")
        case BlobNotFound():
            return ApiProblem(404, "blob_not_found", str(error))
        case BlobLost():
            return ApiProblem(404, "not_found", str(error))
        case HashMismatch():
            return ApiProblem(409, "hash_mismatch", str(error))
        case TooLarge():
            return ApiProblem(413, "too_large", f"{error} (PYCOMFY_MAX_UPLOAD)")
        case NoSpace():
            return ApiProblem(507, "storage_full", str(error))
        case AssetInUse():
            return ApiProblem(409, "asset_in_use", str(error))
    return ApiProblem(422, "invalid_request", str(error))


async def read_pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(PIECE):
        yield piece


@router.post("", status_code=201, response_model=model.Asset, responses=ASSET_ERRORS, operation_id="postAssets")
async def post_asset(
    request: Request,
    gateway: State,
    caller: Authenticated,
    file: UploadFile,
    content_type: Annotated[str, Form(min_length=1, max_length=255)],
    file_path: Annotated[str, Form(min_length=1, max_length=1024)],
    expected_hash: Annotated[str | None, Form(max_length=100)] = None,
    tags: Annotated[list[str], Form(max_length=32)] = [],  # noqa: B006  FastAPI copies it
    expires_in: ExpiresIn = None,
    key: Annotated[str | None, Header(alias="Idempotency-Key", max_length=255)] = None,
) -> Response:
    """Upload a file. Its hash is computed from the bytes that came; bytes that are there already are kept once."""
    new = NewAsset(caller.name, content_type, file_path, tuple(tags), expires_at=_expiry(gateway, expires_in))
    try:
        received = await gateway.assets.receive(
            read_pieces(file), new, expected_hash=expected_hash, limit=gateway.settings.max_upload
        )
    except (AssetError, ValueError) as e:
        raise explain(e) from e
    answer = render_asset(gateway, base_url(gateway, request), received.asset, received.created_new)
    return json_response(answer, 201 if received.created_new else 200)


def _expiry(gateway: Gateway, seconds: int | None) -> datetime:
    return gateway.clock() + timedelta(seconds=gateway.settings.keep_results if seconds is None else seconds)


@router.post(
    "/from-hash", status_code=201, response_model=model.Asset, responses=ASSET_ERRORS, operation_id="assetFromHash"
)
async def post_from_hash(body: model.FromHash, request: Request, gateway: State, caller: Authenticated) -> Response:
    """An asset over bytes that the caller has sent before."""
    new = NewAsset(caller.name, None, body.file_path, tuple(body.tags), expires_at=_expiry(gateway, body.expires_in))
    try:
        received = await gateway.assets.mint(body.hash, new)
    except (AssetError, ValueError) as e:
        raise explain(e) from e
    answer = render_asset(gateway, base_url(gateway, request), received.asset, received.created_new)
    return json_response(answer, 201 if received.created_new else 200)


@router.head("/by-hash/{hash}", responses=ERRORS, operation_id="headAssetByHash")
async def head_by_hash(hash: str, gateway: State, caller: Authenticated) -> Response:  # noqa: A002
    """200 if the caller may make an asset of these bytes without sending them."""
    try:
        there = await gateway.assets.may_mint(parse_hash(hash), caller.name)
    except ValueError:
        there = False
    return Response(status_code=200 if there else 404)


@router.get("/{id}", response_model=model.Asset, responses=ERRORS, operation_id="getAsset")
async def get_asset(id: str, request: Request, gateway: State, caller: Authenticated) -> Response:  # noqa: A002
    """What is known of the file, with an address of its bytes."""
    asset = await find_asset(gateway, caller.name, id)
    return json_response(render_asset(gateway, base_url(gateway, request), asset))


@router.delete("/{id}", status_code=204, responses=ASSET_ERRORS, operation_id="deleteAsset")
async def delete_asset(id: str, gateway: State, caller: Authenticated) -> Response:  # noqa: A002
    """Delete the record; the bytes go with the last record over them."""
    try:
        await gateway.assets.delete(id, owner=caller.name)
    except AssetError as e:
        raise explain(e) from e
    return Response(status_code=204)


@router.get("/{id}/content", responses=CONTENT_ANSWERS, operation_id="getAssetContent", response_class=FileResponse)
@router.head(
    "/{id}/content", responses={**ERRORS, **UNCHANGED}, operation_id="headAssetContent", response_class=Response
)
async def get_content(id: str, gateway: State, caller: Authenticated, had: Had = None) -> Response:  # noqa: A002
    """The bytes, or a part of them (`Range`); nothing if the caller has them (`If-None-Match`)."""
    return serve_content(gateway, await find_asset(gateway, caller.name, id), had)


async def find_asset(gateway: Gateway, owner: str, asset: str) -> Asset:
    """Raises `ApiProblem`."""
    try:
        return await gateway.assets.get(asset, owner=owner)
    except AssetError as e:
        raise explain(e) from e


INLINE = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/avif", "video/", "audio/", "text/plain")
"""Kinds that a browser may show in place; others, such as SVG and HTML, could run scripts on our origin."""


_ETAG = re.compile(r'(?:W/)?("[^"]*")')


def serve_content(gateway: Gateway, asset: Asset, had: str | None) -> Response:
    """The file with Range, ETag and a name to save it as; 304 if its ETag is among those of `had`, whatever the Range
    (RFC 9110, 13.2.2). Raises `ApiProblem`."""
    path = gateway.assets.path(asset)
    try:
        about = path.stat()
    except OSError as e:
        raise ApiProblem(404, "not_found", "the bytes of this asset are gone") from e
    etag = f'"{asset.hash}"'
    headers = {"ETag": etag, "Cache-Control": "private, max-age=3600, immutable"}
    if had is not None and (had.strip() == "*" or etag in _ETAG.findall(had)):
        return Response(status_code=304, headers=headers)
    inline = asset.content_type.startswith(INLINE)
    return FileResponse(
        path,
        stat_result=about,
        media_type=asset.content_type,
        filename=(asset.file_path or asset.id).rsplit("/", 1)[-1],
        content_disposition_type="inline" if inline else "attachment",
        headers={
            **headers,
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "X-Content-Type-Options": "nosniff",
        },
    )

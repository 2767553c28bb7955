"""Files among the inputs: an id, an address or a data URI becomes an asset, and a reference in the graph."""

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ...assets.model import Asset, AssetError, NewAsset
from ...graph.assets import REFERENCE
from ...graph.interface import FILE_TYPES, Interface
from ..access import Caller
from ..problem import ApiProblem
from ..state import Gateway
from ..v2.assets import explain
from .model import FileFromUrl


async def take_files(
    gateway: Gateway, interface: Interface, caller: Caller, values: Mapping[str, Any]
) -> dict[str, Any]:
    """`values` with a reference in place of each file. Raises `ApiProblem` with the input's JSON Pointer."""
    taken = dict(values)
    for parameter in interface.parameters:
        if parameter.type not in FILE_TYPES or taken.get(parameter.name) is None:
            continue
        value = taken[parameter.name]
        if value == parameter.default:
            continue  # the workflow's own file, which is in the image or in its input folder
        pointer = f"/inputs/{parameter.name}"
        try:
            asset = await _take(gateway, caller, value)
        except (AssetError, ValueError) as e:
            problem = explain(e)
            status = 422 if problem.status == 404 else problem.status
            raise ApiProblem(status, problem.code, f"{parameter.name}: {problem.message}", pointer=pointer) from e
        taken[parameter.name] = {"__type": REFERENCE, "info": {"id": asset.id, "hash": asset.hash}}
    return taken


async def _take(gateway: Gateway, caller: Caller, value: str | FileFromUrl) -> Asset:
    """Raises `AssetError`, `ValueError`."""
    new = NewAsset(caller.name, expires_at=gateway.clock() + timedelta(seconds=gateway.settings.keep_results))
    if isinstance(value, FileFromUrl):
        return await gateway.fetcher.fetch(value.url, new, sha256=value.sha256)
    if value.startswith("data:"):
        return await gateway.fetcher.read_data_uri(value, new)
    if value.startswith(("https://", "http://")):
        return await gateway.fetcher.fetch(value, new)
    try:
        uuid.UUID(value)
    except ValueError:
        raise ValueError("a file is the id of an upload, an address, or a data URI") from None
    return await gateway.assets.get(value, owner=caller.name)

"""Values that are given by name: seeds are drawn, texts expanded, and files become references in the graph."""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from ...assets.data_uri import is_data_uri
from ...assets.model import Asset, AssetError, NewAsset, UnknownAsset
from ...graph.assets import REFERENCE
from ...graph.interface import FILE_TYPES, Interface, given_values
from ...graph.seeds import draw_seeds
from ...graph.texts import TextTooLong, expand_values, find_marked
from ..access import Caller
from ..problem import FILE_WORDS, ApiProblem
from ..state import Gateway
from ..v2.assets import explain
from .model import FileFromUrl

STARTING_LIMIT = 30.0
"""Seconds that a text with choices may wait for ComfyUI to say which of its inputs have any."""


@dataclass(frozen=True)
class Taken:
    """`reported` is what the job's record shows, `values` what goes into the graph."""

    reported: dict[str, Any]
    values: dict[str, Any]


@dataclass
class Intake:
    """Takes the inputs of one request. A file that stands in several jobs of a batch is fetched once."""

    gateway: Gateway
    interface: Interface
    caller: Caller
    _files: dict[tuple[str, str | None], Asset] = field(default_factory=dict)

    async def take(self, inputs: BaseModel) -> Taken:
        """Raises `ApiProblem` with the JSON Pointer of the input."""
        values = await self._expand(draw_seeds(self.interface, given_values(inputs)))
        reported, taken = dict(values), dict(values)
        for parameter in self.interface.parameters:
            value = values.get(parameter.name)
            # The workflow's own file is in the image or in its input folder.
            if parameter.type not in FILE_TYPES or value is None or value == parameter.default:
                continue
            asset = await self._take_file(parameter.name, value)
            taken[parameter.name] = {"__type": REFERENCE, "info": {"id": asset.id, "hash": asset.hash}}
            reported[parameter.name] = _report(value, asset)
        return Taken(reported, taken)

    async def _expand(self, values: dict[str, Any]) -> dict[str, Any]:
        marked = find_marked(self.interface, values)
        if not marked:
            return values
        node_types = await self.wait_for_node_types()
        graph, now = self.gateway.project.graph or {}, self.gateway.clock().astimezone()
        try:
            return await asyncio.to_thread(expand_values, self.interface, graph, values, node_types, now)
        except TextTooLong as e:
            raise ApiProblem(422, "invalid_request", str(e), pointer=f"/inputs/{marked[0].name}") from e

    async def wait_for_node_types(self) -> Mapping[str, Any]:
        """Raises `ApiProblem` where ComfyUI does not say in time which there are."""
        for _ in range(int(STARTING_LIMIT / 0.1)):
            if self.gateway.node_types is not None:
                return self.gateway.node_types
            await asyncio.sleep(0.1)
        raise ApiProblem(503, "unavailable", "ComfyUI is starting", retry_after=5)

    async def _take_file(self, name: str, value: str | FileFromUrl) -> Asset:
        given = (value, None) if isinstance(value, str) else (value.url, value.sha256)
        try:
            if given not in self._files:
                self._files[given] = await self._receive(*given)
            return self._files[given]
        except (AssetError, ValueError) as e:
            problem = explain(e)
            status = 422 if problem.status in (404, 409) else problem.status
            message = f"there is no such file: give {FILE_WORDS}" if isinstance(e, UnknownAsset) else problem.message
            raise ApiProblem(status, problem.code, f"{name}: {message}", pointer=f"/inputs/{name}") from e

    async def _receive(self, value: str, sha256: str | None) -> Asset:
        """Raises `AssetError`, `ValueError`."""
        gateway = self.gateway
        if is_data_uri(value) or "://" in value:
            until = gateway.clock() + timedelta(seconds=gateway.settings.keep_results)
            return await gateway.fetcher.fetch(value, NewAsset(self.caller.name, expires_at=until), sha256=sha256)
        try:
            uuid.UUID(value)
        except ValueError:
            raise ValueError(f"a file is {FILE_WORDS}") from None
        return await gateway.assets.get(value, owner=self.caller.name)


def _report(value: str | FileFromUrl, asset: Asset) -> Any:
    """A file as the record of a job shows it: of a data URI the asset that it became. Of an address not what follows
    `?`, which may be a signature."""
    if isinstance(value, FileFromUrl):
        return {"url": value.url.partition("?")[0], **({"sha256": value.sha256} if value.sha256 else {})}
    return asset.id if is_data_uri(value) else value.partition("?")[0]

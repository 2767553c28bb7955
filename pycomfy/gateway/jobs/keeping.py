"""What goes into ComfyUI with a job, and what comes out of it: files, and what is written into pictures."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ..assets.convert import SUFFIXES, convert_image
from ..assets.model import Asset, AssetError, NewAsset
from ..assets.storage import Storage
from ..assets.store import AssetStore
from ..graph.assets import Stager, list_assets
from ..places import Places
from ..project import Project
from .collecting import Kept, NotKept
from .dispatch import JobFailed
from .model import CONVERTED, Job, JobError, Output
from .outputs import Found

DESCRIPTION = "pycomfy"
"""The key of `extra_pnginfo`, and so the text in a picture, that says what made it."""

_VARIABLES = {"image_digest": "PYCOMFY_IMAGE_DIGEST", "version": "PYCOMFY_VERSION"}


class AssetKeeper:
    """Keeps outputs as assets; each belongs to its job, and goes with it.

    Where the job asked for it, images are converted, too, with the workflow's `python`; and everything is put into the
    `storage` of the deployment. What fails of that is a warning that names the output, which is kept all the same.
    """

    def __init__(self, assets: AssetStore, project: Project, python: Path, storage: Storage | None = None) -> None:
        self._assets = assets
        self._python = python
        self._storage = storage
        outputs = (project.interface or {}).get("outputs")
        listed = outputs if isinstance(outputs, list) else []
        self._names = {str(o.get("node")): str(o.get("name")) for o in listed if isinstance(o, dict)}

    async def keep(self, job: Job, found: Found, *, move: bool = False) -> Kept:
        """As `Keeper.keep`. Raises `NotKept`."""
        path = f"{found.subfolder}/{found.name}" if found.subfolder else found.name
        new = NewAsset(job.request.owner, found.content_type, path, job=job.id)
        try:
            if found.path is not None:
                asset = await self._assets.adopt(found.path, new, move=move)
            else:
                asset = (await self._assets.receive([found.data or b""], new)).asset
        except (AssetError, OSError) as e:
            raise NotKept(str(e)) from e
        output = Output(
            node=found.node,
            kind=found.kind,
            name=found.name,
            subfolder=found.subfolder,
            folder=found.folder,
            output=self._names.get(found.node),
            type=found.type,
            content_type=asset.content_type,
            size=asset.size,
            asset=asset.id,
            hash=asset.hash,
            value=found.value,
        )
        return await self._add(job, output, asset)

    async def keep_again(self, job: Job, output: Output) -> Kept:
        """Raises `NotKept`."""
        path = f"{output.subfolder}/{output.name}" if output.subfolder else output.name
        new = NewAsset(job.request.owner, output.content_type, path, job=job.id)
        try:
            asset = await self._assets.copy(output.hash or "", new)
        except (AssetError, OSError, ValueError) as e:
            raise NotKept(str(e)) from e
        update = {"asset": asset.id, "stored": None, "output": self._names.get(output.node)}
        return await self._add(job, output.model_copy(update=update), asset)

    async def _add(self, job: Job, output: Output, asset: Asset) -> Kept:
        """The output with what the job wants besides."""
        kept = [(output, asset)]
        warnings: list[str] = []
        target = job.request.options.get("format")
        if target in SUFFIXES and output.type == "image" and asset.content_type != f"image/{target}":
            quality = job.request.options.get("quality")
            try:
                made = await convert_image(self._assets, asset, target, python=self._python, quality=quality)
                kept.append((_describe_converted(output, made.asset), made.asset))
                warnings += [f"{output.name} as {target}: {text}" for text in made.notes]
            except (AssetError, OSError) as e:
                warnings.append(str(e))
        outputs = [await self._store(output, asset, warnings) for output, asset in kept]
        return Kept(tuple(outputs), tuple(warnings))

    async def _store(self, output: Output, asset: Asset, warnings: list[str]) -> Output:
        """The output with its address in the storage, if it came there."""
        if self._storage is None:
            return output
        try:
            stored = await self._storage.put(self._assets.path(asset), asset, output.name)
        except AssetError as e:
            warnings.append(f"{output.name} is not in the storage, and kept here only: {e}")
            return output
        return output.model_copy(update={"stored": stored})


def _describe_converted(output: Output, asset: Asset) -> Output:
    name = PurePosixPath(output.name).with_suffix(asset.suffix).name
    made = {"name": name, "content_type": asset.content_type, "size": asset.size, "asset": asset.id, "hash": asset.hash}
    return output.model_copy(update={**made, "folder": CONVERTED, "value": None})


class GraphStager:
    """Brings the files of a graph into ComfyUI's input folder for as long as its job runs."""

    def __init__(self, assets: AssetStore, places: Places) -> None:
        self._assets = assets
        self._files = Stager(assets, places.input)
        self._files.clean()

    async def stage(self, job: Job) -> Mapping[str, Any]:
        """Raises `JobFailed`. What the job made and needs is kept until it ends, however full the disk becomes."""
        self._assets.hold(job.id, list_assets(job.request.graph))
        try:
            return await self._files.stage(job.id, job.request.graph, owner=job.request.owner)
        except (AssetError, OSError, ValueError) as e:
            error = JobError(code="missing_asset", message=f"a file of the job cannot be used: {e}")
            raise JobFailed(error) from e

    async def clean(self, job: Job) -> None:
        await self._files.unstage(job.id)


def describe(project: Project, job: Job, environment: Mapping[str, str]) -> dict[str, Any]:
    """The `extra_data` of a job: what is written into its pictures. The editor's workflow is in it only where it is
    that of this very graph and in the editor's format: an editor must be able to open it."""
    made_by = {
        "name": project.name,
        "workflow_sha256": project.hashes.get("workflow.json"),
        "lock_sha256": project.hashes.get("pycomfy.lock"),
        **{key: environment.get(variable) for key, variable in _VARIABLES.items()},
        "job": job.id,
        "inputs": job.request.inputs,
    }
    info: dict[str, Any] = {DESCRIPTION: {key: value for key, value in made_by.items() if value}}
    workflow = project.workflow
    if workflow is not None and isinstance(workflow.get("nodes"), list) and job.request.graph == project.graph:
        info["workflow"] = workflow
    return {"extra_pnginfo": info}

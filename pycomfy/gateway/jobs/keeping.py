"""What goes into ComfyUI with a job, and what comes out of it: files, and what is written into pictures."""

from collections.abc import Mapping
from typing import Any

from ..assets.model import AssetError, NewAsset
from ..assets.store import AssetStore
from ..graph.assets import Stager
from ..places import Places
from ..project import Project
from .dispatch import JobFailed, NotKept
from .model import Job, JobError, Output
from .outputs import Found

DESCRIPTION = "pycomfy"
"""The key of `extra_pnginfo`, and so the text in a picture, that says what made it."""

_VARIABLES = {"image_digest": "PYCOMFY_IMAGE_DIGEST", "version": "PYCOMFY_VERSION"}


class AssetKeeper:
    """Keeps outputs as assets; each belongs to its job, and goes with it."""

    def __init__(self, assets: AssetStore, project: Project) -> None:
        self._assets = assets
        outputs = (project.interface or {}).get("outputs")
        listed = outputs if isinstance(outputs, list) else []
        self._names = {str(o.get("node")): str(o.get("name")) for o in listed if isinstance(o, dict)}

    async def keep(self, job: Job, found: Found) -> Output:
        """Raises `NotKept`."""
        path = f"{found.subfolder}/{found.name}" if found.subfolder else found.name
        new = NewAsset(job.request.owner, found.content_type, path, job=job.id)
        try:
            if found.path is not None:
                asset = await self._assets.adopt(found.path, new)
            else:
                asset = (await self._assets.receive([found.data or b""], new)).asset
        except (AssetError, OSError) as e:
            raise NotKept(str(e)) from e
        return Output(
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

    async def keep_again(self, job: Job, output: Output) -> Output:
        """Raises `NotKept`."""
        path = f"{output.subfolder}/{output.name}" if output.subfolder else output.name
        new = NewAsset(job.request.owner, output.content_type, path, job=job.id)
        try:
            asset = await self._assets.copy(output.hash or "", new)
        except (AssetError, OSError, ValueError) as e:
            raise NotKept(str(e)) from e
        return output.model_copy(update={"asset": asset.id, "stored": None, "output": self._names.get(output.node)})


class GraphStager:
    """Brings the files of a graph into ComfyUI's input folder for as long as its job runs."""

    def __init__(self, assets: AssetStore, places: Places) -> None:
        self._files = Stager(assets, places.input)
        self._files.clean()

    async def stage(self, job: Job) -> Mapping[str, Any]:
        """Raises `JobFailed`."""
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

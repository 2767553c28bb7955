"""Find the files of this machine that a run would read."""

from pycomfy.core.interface.model import FILE_TYPES, parse_interface
from pycomfy.core.versions.reference import parse_reference
from pycomfy.core.versions.snapshot import INTERFACE
from pycomfy.services.operations.requests import RunRequest
from pycomfy.services.studio.uploads import is_upload
from pycomfy.services.workspace import Workspace


def list_named_files(workspace: Workspace, request: RunRequest) -> list[str]:
    """Return the inputs of a run that are files which its values name, but for those that were sent to the server.
    Raises `NotFound` for an unknown version."""
    version = workspace.versions.find(parse_reference(request.workflow))
    data = workspace.versions.read_some([version.commit], (INTERFACE,))[version.commit].get(INTERFACE)
    if data is None:
        return []  # it cannot be run
    interface = parse_interface(data.decode(errors="replace"), where=f"{INTERFACE} of {version.label}")
    files = {parameter.name for parameter in interface.parameters if parameter.type in FILE_TYPES}
    return [name for name, value in request.inputs.items() if name in files and not is_upload(workspace, value)]

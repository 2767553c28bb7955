"""`push`: send versions to another git repository."""

from collections.abc import Sequence

from pycomfy import operation
from pycomfy.adapters.versions.remote import Sent, find_remote, image_refs, send
from pycomfy.core.versions.reference import MAKE_FIRST, unknown_workflow
from pycomfy.errors import BadInput, NotFound, PycomfyError, raise_all, suggest
from pycomfy.services.results import Result
from pycomfy.services.workspace import Workspace


class PushResult(Result):
    """What became of each workflow, by name: "new", "updated" or "same". `remote` is the address without a
    password."""

    remote: str
    workflows: dict[str, str]


def push(workspace: Workspace, remote: str, names: Sequence[str]) -> PushResult:
    """Send workflows, all of them if `names` is empty, with their tags and the descriptions of their images. Nothing
    on the other side is overwritten.

    Raises `NotFound` for all unknown names together; `BadInput` if the other side has versions that are not here, or
    the same tag for another version.
    """
    versions = workspace.versions
    known = versions.names()
    if not known:
        raise NotFound("there are no versions to push yet", where=str(versions.path), fix=MAKE_FIRST)
    raise_all([unknown_workflow(name, known, str(versions.path)) for name in names if name not in known])
    chosen = list(names) or known
    address = find_remote(versions.bare, remote)
    branches = [f"refs/heads/{name}" for name in chosen]
    tags = [ref for name in chosen for ref in versions.bare.refs(f"refs/tags/{name}")]
    trees = versions.trees(chosen)
    with operation.step(f"Push to {address.public}", total=len(chosen)) as task:
        sent = send(versions.bare, address, [*branches, *tags, *image_refs(versions.bare, trees)])
        task.advance(len(chosen))
    raise_all([_refused(s, address.public) for s in sent if s.state == "refused" and "/images/" not in s.ref])
    states = {s.ref: s.state for s in sent}
    return PushResult(remote=address.public, workflows={name: states[f"refs/heads/{name}"] for name in chosen})


def _refused(sent: Sent, remote: str) -> PycomfyError:
    name = sent.ref.split("/", 2)[2]
    if sent.ref.startswith("refs/tags/"):
        label = name.replace("/", "@", 1)
        return BadInput(f"the tag {label} is another version there", where=remote, fix="rename your tag")
    if "fetch first" in sent.why or "non-fast-forward" in sent.why:
        what = f"{name} has versions there that are not here"
        return BadInput(what, where=remote, fix=suggest("pull", "then push again", remote=remote))
    return BadInput(f"{name} was refused: {sent.why}", where=remote, fix="see what the other side allows")

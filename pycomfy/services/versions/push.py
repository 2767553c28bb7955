"""`push`: the library's versions, sent to another git repository."""

from collections.abc import Sequence
from dataclasses import dataclass

from pycomfy import operation
from pycomfy.adapters.versions.remote import Sent, find_remote, image_refs, send
from pycomfy.errors import BadInput, NotFound, PycomfyError, raise_all
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class PushResult:
    """What became of each workflow, by its name; `remote` is the address without a password."""

    remote: str
    workflows: dict[str, str]


def push(workspace: Workspace, remote: str, names: Sequence[str]) -> PushResult:
    """Send workflows, all of them if none is named, with their tags and what was built of them. Nothing there is
    overwritten. Raises `BadInput` if the other side has versions that are not here."""
    library = workspace.versions
    known = library.names()
    missing: list[PycomfyError] = [
        NotFound(f'no workflow "{n}"', where=str(library.path), fix="`pycomfy branch` lists them")
        for n in names
        if n not in known
    ]
    raise_all(missing)
    wanted = list(names) or known
    if not wanted:
        raise NotFound("there is nothing to push yet", where=str(library.path), fix="`pycomfy build` makes versions")
    address = find_remote(library.bare, remote)
    branches = [f"refs/heads/{n}" for n in wanted]
    tags = [ref for n in wanted for ref in library.bare.refs(f"refs/tags/{n}")]
    trees = set(library.bare.git("log", "--format=%T", *branches, "--").decode().split())
    with operation.step(f"Push to {address.public}", total=len(wanted)) as task:
        sent = send(library.bare, address, [*branches, *tags, *image_refs(library.bare, trees)])
        task.advance(len(wanted))
    raise_all([_refused(s, address.public) for s in sent if s.state == "refused" and "/images/" not in s.ref])
    states = {s.ref: s.state for s in sent}
    return PushResult(address.public, {n: states[f"refs/heads/{n}"] for n in wanted})


def _refused(sent: Sent, where: str) -> PycomfyError:
    name = sent.ref.split("/", 2)[2]
    if sent.ref.startswith("refs/tags/"):
        return BadInput(
            f"the tag {name.replace('/', '@', 1)} is another version there", where=where, fix="rename your tag"
        )
    if "fetch first" in sent.why or "non-fast-forward" in sent.why:
        what = f"{name} has versions there that are not here"
        return BadInput(what, where=where, fix=f"`pycomfy pull {where}`, then push again")
    return BadInput(f"{name} was refused: {sent.why}", where=where, fix="see what the other side allows")

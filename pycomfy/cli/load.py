"""`pycomfy load`: give a version's image to other programs."""

from typing import Annotated

import typer

from pycomfy.cli.json_output import print_json
from pycomfy.cli.platform_option import PLATFORM_METAVAR, parse_platform
from pycomfy.cli.progress import size
from pycomfy.cli.terminal import print_line


def load(
    reference: Annotated[str, typer.Argument(metavar="NAME[@V]", help="A version that was built.")],
    oci: Annotated[
        bool, typer.Option("--oci", help="Make an OCI layout in the Nix store instead, as for a registry.")
    ] = False,
    platform: Annotated[
        str | None, typer.Option(metavar=PLATFORM_METAVAR, help="With --oci: the platform, if not this machine's.")
    ] = None,
    engine: Annotated[str | None, typer.Option(metavar="podman|docker", help="The container engine.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Load an image into Podman or Docker, for commands of your own.

    `run`, `check` and `build` need none of this with Podman: they start an image where it lies in the Nix store. This
    copies it into the engine's own storage, as `localhost/pycomfy/NAME`. With `--oci` the path of an OCI layout is
    printed, which other programs read: `skopeo copy oci:$(pycomfy load portrait --oci) docker://registry/portrait`.

    Examples: `pycomfy load portrait`, `pycomfy load portrait@3 --oci`
    """
    from pycomfy.services.load import load_version, make_whole_layout
    from pycomfy.services.workspace import Workspace

    workspace = Workspace.open(engine=engine)
    if platform is not None and not oci:
        raise typer.BadParameter("an engine runs images of its own platform alone", param_hint="--platform")
    if oci:
        layout = make_whole_layout(workspace, reference, parse_platform(platform))
        print_json(layout) if as_json else print_line(layout.oci)
        return
    loaded = load_version(workspace, reference)
    if as_json:
        print_json(loaded)
        return
    how = "loaded" if loaded.loaded else "was loaded before"
    print_line(f"{loaded.name}@{loaded.version} {how}: {loaded.image} ({size(loaded.size)}) in {loaded.engine}")

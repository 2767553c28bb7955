"""`pycomfy run --serve`: say where the app and the API are, and how that is called."""

import sys
from typing import TYPE_CHECKING

from pycomfy.cli.json_output import print_json
from pycomfy.cli.terminal import print_line

if TYPE_CHECKING:
    from pycomfy.services.run.serve import Served, ServeOptions
    from pycomfy.services.workspace import Workspace


def run_server(workspace: "Workspace", name: str, options: "ServeOptions", *, as_json: bool) -> None:
    """Serve until it is told to stop. With `as_json` where it is is printed as JSON, once it is ready."""
    from pycomfy.services.run.serve import serve

    def show(served: "Served") -> None:
        if as_json:
            print_json(served)
        else:
            _show(served)
        sys.stdout.flush()  # a pipe or a file gets it now, not at the end

    serve(workspace, name, options, show)
    print_line("stopped: jobs that are not done go on with the next start", error=True)


def _show(served: "Served") -> None:
    """Print the address on stdout, and the rest on stderr."""
    print_line(served.url)
    print_line(f"  app            {served.url}/", error=True)
    print_line(f"  documentation  {served.url}/docs", error=True)
    print_line(f"  OpenAPI        {served.url}/openapi.json", error=True)
    print_line(f"  jobs and files {served.state}", error=True)
    print_line(f"  log            {served.log}", error=True)
    print_line(f"  try            {served.example}", error=True)
    print_line(f"  more examples  pycomfy api {served.name}@{served.version}", error=True)
    print_line("Ctrl-C ends it: running jobs get some time, a second Ctrl-C ends it at once.", error=True)

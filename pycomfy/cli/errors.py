"""Show an error on standard error, to a person."""

from rich.console import Console

from pycomfy.cli.fixes import render_all
from pycomfy.errors import ErrorGroup, PycomfyError

_BELOW = "\n         "
"""Further lines, such as those of a traceback, stand below the first."""


def tell(error: PycomfyError) -> None:
    """Print what happened, where, and each way to mend it; of several errors each."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for one in error.problems if isinstance(error, ErrorGroup) else (error,):
        console.print("[bold red]error:[/bold red] ", end="")
        console.print(one.what, markup=False)
        lines = [("where:", one.where)] if one.where else []
        lines += [("fix:" if n == 0 else "or:", text) for n, text in enumerate(render_all(one.fixes))]
        for label, text in lines:
            console.print(f"  [dim]{label:<6}[/dim] ", end="")
            console.print(text.replace("\n", _BELOW), markup=False)

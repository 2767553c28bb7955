"""An error on standard error, for a person."""

from rich.console import Console

from pycomfy.errors import ErrorGroup, PycomfyError

_BELOW = "\n         "
"""Further lines, such as those of a traceback, stand below the first."""


def tell(error: PycomfyError) -> None:
    """Print what happened, where, and how to mend it; of several errors each."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for one in error.problems if isinstance(error, ErrorGroup) else (error,):
        console.print("[bold red]error:[/bold red] ", end="")
        console.print(one.what, markup=False)
        for label, text in (("where", one.where), ("fix", one.fix)):
            if text:
                console.print(f"  [dim]{label + ':':<6}[/dim] ", end="")
                console.print(text.replace("\n", _BELOW) if label == "where" else text, markup=False)

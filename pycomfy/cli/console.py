"""Write on a terminal with rich, so that no text acts on the terminal. Imports rich."""

from collections.abc import Iterable
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from pycomfy.core.printable import printable_lines


class SafeConsole(Console):
    """A console on which text is only text: it is never read as markup (`[red]`, `[link=…]`) or as an emoji's name, and
    what would act on the terminal becomes U+FFFD. Styles are given as `Text` and `Style`."""

    def __init__(self, stream: TextIO, **options: Any) -> None:
        super().__init__(file=stream, highlight=False, markup=False, emoji=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of what is printed. Those with which rich itself moves the cursor are left as they
        are."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable_lines(segment.text))

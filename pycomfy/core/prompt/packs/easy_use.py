"""ComfyUI-Easy-Use: widgets of its own types, a slider, tables, and sizes that are shown."""

import json
from collections.abc import Mapping, Sequence

from pycomfy.core.loose_json import as_list, as_mapping
from pycomfy.core.prompt.packs.rules import PackRules, SavedValue, WidgetRules

_TEXTS: Mapping[str, str] = {
    "EASY_PROMPT_AWAIT_BAR": '{"select":"now","unlock":true,"last_seed":0,"seed":0}',
    "EASY_MULTI_ANGLE": '[{"rotate":0,"vertical":0,"zoom":5,"add_angle_prompt":true}]',
}
"""Types of widgets whose values are JSON, with their defaults, which replace what is none."""

_LISTS = frozenset(("EASY_PROMPT_STYLES", "EASY_COMBO"))
_HEADERS, _ROWS = ("列1", "列2", "列3"), (("", "", ""), ("", "", ""))
_LEAST_WIDTH = 3
_MAX_CHARACTERS = 1 << 20
"""Characters of a table that is written: a short file can say that a million rows have a million columns."""


def _read_value(saved: SavedValue) -> object:
    """Lists and objects as text, and of a table its Markdown."""
    value = saved.value
    if saved.type in _LISTS:
        return ",".join(map(str, value)) if isinstance(value, list) else value
    if saved.type in _TEXTS:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return text if _parse(text) is not None else _TEXTS[saved.type]
    return _read_table(value) if saved.type == "EASY_TABLE_EDITOR" else value


def _read_table(value: object) -> str:
    """The Markdown of a table: as it was written, or made of its headers and rows."""
    table = as_mapping(_parse(value) if isinstance(value, str) else value)
    markdown = table.get("markdown")
    if table.get("mode") == "markdown" and isinstance(markdown, str):
        return markdown
    if not table.get("headers"):
        return value if isinstance(value, str) and "|" in value else _render_table(_HEADERS, _ROWS)
    headers, rows = as_list(table["headers"]), [as_list(row) for row in as_list(table.get("rows"))]
    widest = max((len(str(cell)) for row in (headers, *rows) for cell in row), default=0)
    if len(headers) * (len(rows) + 2) * (widest + _LEAST_WIDTH) > _MAX_CHARACTERS:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _render_table(headers, rows)


def _render_table(headers: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [[*map(str, line)] for line in (headers, *rows)]
    columns = range(len(headers))
    widths = [max(_LEAST_WIDTH, *(len(line[i]) for line in lines if i < len(line))) for i in columns]
    cells = [[(line[i] if i < len(line) else "").ljust(widths[i]) for i in columns] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in (cells[0], ["-" * w for w in widths], *cells[1:]))


def _parse(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


_SIZES = (
    "easy imageSize",
    "easy imageSizeBySide",
    "easy imageSizeByLongerSide",
    "easy imagePixelPerfect",
    "easy imageRatio",
)

RULES = PackRules(
    editor_only=frozenset(("easy bookmark",)),
    widget_types={**_TEXTS, **dict.fromkeys(_LISTS, ""), "EASY_TABLE_EDITOR": _render_table(_HEADERS, _ROWS)},
    widgets={
        "easy sliderControl": WidgetRules(added={"values": ""}),
        "easy poseEditor": WidgetRules(added={"editor": ""}),
        "easy stableDiffusion3API": WidgetRules(
            added={"cost_credit": "", "account": ""}, unsent=frozenset(("cost_credit",))
        ),
        **dict.fromkeys(_SIZES, WidgetRules(shown=frozenset(("info",)))),
    },
    read_value=_read_value,
)

"""Nodes whose widgets are changed by scripts, as `core/prompt/packs` says of the packs that they are named after."""

from collections.abc import Mapping

from tests.support.graphs import Json, node, ui


def alone(type_: str, *values: object, **more: object) -> Json:
    """A workflow of one node, with these values."""
    return ui([{**node(3, type_, values=values, outputs=["STRING"]), **more}], [])


WIDGETS: Mapping[str, Json] = {
    "a widget after the defined ones": alone("easy sliderControl", "other", "0:1,1:0.5"),
    "a widget after the defined ones, not saved": alone("easy sliderControl", "other"),
    "a widget of a type of the pack": alone("Color Input (mtb)", "#102030", 7),
    "buttons that are sent": alone("Interpolate Clip Sequential (mtb)", "text", 0.5, "add", "remove"),
    "widgets that are taken away": alone("SDXL Power Prompt - Positive (rgthree)", "text"),
    "a menu that is saved and not sent": alone("Power Prompt (rgthree)", "text", "other"),
    "a shown text that is sent empty": alone("ttN textDebug", "text", "shown"),
    "a node that is never sent": alone("VHS_SelectLatest", "text"),
    "a preview that begins anew": alone("PreviewBridge", "$9-4", True),
    "an input by default": alone("LoadPromptsFromFile //Inspire", "b.txt", 9),
}

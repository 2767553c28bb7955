"""A node pack for the stories: node types with the names of those that our rules know, and scripts of our own that do
to their widgets what the rules say (see `web`). Whether the real packs do the same is recorded in
`tests/core/prompt/frontend_cases.json`."""

WEB_DIRECTORY = "./web"

TEXT = ("STRING", {"default": ""})
WHOLE = ("INT", {"default": 5})
INPUTS: dict[str, dict[str, tuple[object, ...]]] = {
    "easy sliderControl": {"mode": (["weights", "other"],)},
    "Color Input (mtb)": {"color": ("MTB_COLOR", {"default": "#ffffff"}), "after": WHOLE},
    "Interpolate Clip Sequential (mtb)": {"base_text": TEXT, "strength": ("FLOAT", {"default": 1.0})},
    "SDXL Power Prompt - Positive (rgthree)": {"prompt_g": TEXT, "target_width": WHOLE, "crop_width": WHOLE},
    "Power Prompt (rgthree)": {"prompt": TEXT, "insert_lora": (["CHOOSE", "other"],)},
    "ttN textDebug": {"text": TEXT},
    "VHS_SelectLatest": {"filename_prefix": TEXT},
    "PreviewBridge": {"image": TEXT, "block": ("BOOLEAN", {"default": False})},
    "LoadPromptsFromFile //Inspire": {"prompt_file": (["a.txt", "b.txt"],)},
}
OPTIONAL: dict[str, dict[str, tuple[object, ...]]] = {
    "LoadPromptsFromFile //Inspire": {"text_data_opt": ("STRING", {"defaultInput": True}), "load_cap": WHOLE},
}


def _make(type_: str) -> type:
    inputs = {"required": INPUTS[type_], "optional": OPTIONAL.get(type_, {})}
    body = {
        "CATEGORY": "story",
        "FUNCTION": "run",
        "RETURN_TYPES": ("STRING",),
        "INPUT_TYPES": classmethod(lambda cls: inputs),
        "run": lambda self, **values: ("",),
    }
    return type("Story", (), body)


NODE_CLASS_MAPPINGS = {type_: _make(type_) for type_ in INPUTS}

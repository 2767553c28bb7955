import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.models.manager_list import MODELS, ListedModel, choose_model, parse_models
from pycomfy.errors import BadInput

U = "https://h/"


def entry(name: str, path: str, url: str, kind: str = "") -> dict[str, str]:
    return {"name": "x", "filename": name, "save_path": path, "type": kind, "url": U + url}


def parse(*entries: object) -> tuple[ListedModel, ...]:
    return parse_models({MODELS: json.dumps({"models": list(entries)}).encode()})


def test_an_entry_goes_where_the_manager_puts_it() -> None:
    listed = parse(
        entry("a.pth", "default", "a", "upscale"),
        entry("b.safetensors", "checkpoints/SDXL", "b"),
        entry("c.safetensors", "unet", "c"),
    )
    assert listed == (
        ListedModel("upscale_models", "a.pth", U + "a"),
        ListedModel("checkpoints", "SDXL/b.safetensors", U + "b"),
        ListedModel("diffusion_models", "c.safetensors", U + "c"),
    )


@pytest.mark.parametrize(
    "odd", [None, [], {}, "x", entry("a", "default", "a", "what"), {**entry("a", "b", "c"), "url": "ftp://h"}]
)
def test_an_entry_that_is_not_in_order_is_left_out(odd: object) -> None:
    assert parse(odd, entry("a/b", "loras", "x"), entry("a", "", "x")) == ()
    assert parse_models({}) == ()
    with pytest.raises(BadInput):
        parse_models({MODELS: b"{"})


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("model.safetensors", False),
        ("model-00001-of-00002.safetensors", False),
        ("Diffusion_pytorch_model.fp16.safetensors", False),
        ("pytorch_lora_weights.safetensors", False),
        ("vae.pt", False),
        ("vae-ft-mse-840000.safetensors", True),
        ("models_t5.pth", True),
    ],
)
def test_a_name_that_says_nothing_chooses_nothing(name: str, says: bool) -> None:
    assert (choose_model(parse(entry(name, "vae/sub", "1")), "vae", name) is not None) == says


def test_only_the_one_model_that_is_meant_is_chosen() -> None:
    listed = parse(
        entry("sharp.pth", "default", "1", "upscale"),
        entry("x.safetensors", "controlnet/A", "2"),
        entry("x.safetensors", "controlnet/B", "3"),
        entry("model.safetensors", "text_encoders/t5", "4"),
    )
    assert choose_model(listed, "upscale_models", "my/Sharp.pth") == U + "1"
    assert choose_model(listed, "loras", "sharp.pth") is None
    assert choose_model(listed, "controlnet", "x.safetensors") is None
    assert choose_model(listed, "controlnet", "B/x.safetensors") == U + "3"
    assert choose_model(listed, "text_encoders", "model.safetensors") is None
    assert choose_model(listed, "text_encoders", "t5/model.safetensors") == U + "4"


_JSON = st.recursive(st.none() | st.text(max_size=9), lambda inner: st.lists(inner, max_size=3), max_leaves=8)


@given(st.lists(st.dictionaries(st.sampled_from(["filename", "save_path", "type", "url"]), _JSON) | _JSON, max_size=4))
def test_any_list_is_read(entries: list[object]) -> None:
    assert isinstance(parse(*entries), tuple)

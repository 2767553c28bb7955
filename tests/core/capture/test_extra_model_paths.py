import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.capture.extra_model_paths import parse_model_paths

EXAMPLE = """
#Rename this to extra_model_paths.yaml
a111:
    base_path: /srv/webui/

    checkpoints: models/Stable-diffusion
    loras: |
         models/Lora
         models/LyCORIS
    clip: text

other:
    is_default: true
    loras: /big/loras
    custom_nodes: packs
"""


def test_the_form_of_comfyuis_example_is_read_and_defaults_come_first() -> None:
    assert parse_model_paths(EXAMPLE) == {
        "checkpoints": ("/srv/webui/models/Stable-diffusion",),
        "loras": ("/big/loras", "/srv/webui/models/Lora", "/srv/webui/models/LyCORIS"),
        "text_encoders": ("/srv/webui/text",),
        "custom_nodes": ("packs",),
    }


@pytest.mark.parametrize("text", ["", "# nothing\n", "a:\n", "a: 5\n", "a: {b: [1]}\n", "1: {2: 3}\n"])
def test_what_names_no_folder_is_empty(text: str) -> None:
    assert parse_model_paths(text) == {}


@pytest.mark.parametrize("text", ["- a\n", "a: [", "!!python/object/apply:os.system ['true']", "\x00", "a: *b"])
def test_a_malformed_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not YAML|no sections"):
        parse_model_paths(text)


def test_aliases_of_aliases_are_not_expanded() -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    assert parse_model_paths(f"a0: &a0 [x]\n{levels}b: {{base_path: *a29, loras: y}}\n") == {"loras": ("y",)}


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse_model_paths(text)

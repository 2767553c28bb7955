import pytest

from pycomfy.core.lockfile.config import parse_config
from pycomfy.errors import BadConfig


@pytest.mark.parametrize("name", ["ComfyUI", "comfyui"])
def test_no_node_pack_takes_the_place_of_comfyui(name: str) -> None:
    with pytest.raises(BadConfig, match="its own section"):
        parse_config(f'[packs.{name}]\ngit = "https://github.com/o/ComfyUI"\n')


@pytest.mark.parametrize("reference", ["owner/name", "https://github.com/o/n", "some-id", "git@host:o/n.git"])
def test_preferences_are_references_to_packs(reference: str) -> None:
    assert parse_config(f'prefer = ["{reference}"]').prefer == (reference,)


@pytest.mark.parametrize("reference", ["", "-x", "a b", "x" * 1001])
def test_what_refers_to_no_pack_is_refused(reference: str) -> None:
    with pytest.raises(BadConfig, match="prefer"):
        parse_config(f'prefer = ["{reference}"]')

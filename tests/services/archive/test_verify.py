from pathlib import Path

import pytest

from pycomfy.adapters.containers.layout import read_layout
from pycomfy.errors import BadInput
from pycomfy.services.archive.verify import check_layers
from tests.support.tiny_image import write_layout


def test_a_layer_that_has_other_files_than_its_digest_says_is_found(tmp_path: Path) -> None:
    """A version's own Nix code computes the digests, and it may be anybody's."""
    image = read_layout(write_layout(tmp_path / "layout", script="exit 0"))
    check_layers(image)
    script = image.layer(image.layers[0]) / "diff" / "script"
    script.chmod(0o644)
    script.write_text("exit 1")
    with pytest.raises(BadInput, match="not those of the layer sha256:"):
        check_layers(image)

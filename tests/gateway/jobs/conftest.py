import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Asynchronous tests are run by anyio's plugin, which comes with Starlette."""
    return "asyncio"

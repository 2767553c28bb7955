"""What a wrong clock looks like, in the words of the programs that notice it."""

import httpx
import pytest

from pycomfy.adapters.io.clock import blames_time
from pycomfy.adapters.io.http_client import describe_failure


@pytest.mark.parametrize(
    "message",
    [
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate is not yet valid (_ssl.c:992)",
        "SSL certificate problem: certificate has expired",
        "invalid peer certificate: certificate not valid yet: verification time 1 (UNIX), but certificate is not valid",
        "gpgv: key 1 was created 9 seconds in the future (time warp or clock problem)",
    ],
)
def test_a_certificate_that_is_not_valid_now_is_recognised(message: str) -> None:
    assert blames_time(message)


def test_an_unknown_certificate_is_not_the_clocks_fault() -> None:
    error = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate")
    assert "SSL_CERT_FILE" in describe_failure("https://x.test/", error).fix


def test_a_certificate_that_is_not_valid_yet_is_told_with_the_clock() -> None:
    error = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate is not yet valid")
    assert "clock" in describe_failure("https://x.test/", error).fix

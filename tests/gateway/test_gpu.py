from pycomfy.gateway.gpu import has_gpu


def test_a_missing_or_wrong_driver_is_no_gpu() -> None:
    assert has_gpu("libnothing-at-all.so.1") is False
    assert has_gpu("libc.so.6") is False

"""Derivations are read as Nix writes them, and what may not run is told."""

import pytest

from pycomfy.core.nix.derivation import Derivation, find_reaching_out, parse_derivation

PINNED = "/nix/store/zpncywkm9d9isz2ld7nirj16v8ads0a2-f"
DOWNLOAD = (
    f'Derive([("out","{PINNED}","sha256","0000")],[],[],"builtin","builtin:fetchurl",[],'
    f'[("builder","builtin:fetchurl"),("name","f"),("out","{PINNED}"),("url","http://h/x")])'
)
STEP = (
    'Derive([("out","/nix/store/3zggbz6j9czmk25sjqf9xcx5jgj2dw55-c","","")],'
    '[("/nix/store/lq61pqkw1q0j5wxlkhszr2iyj0m4b22c-f.drv",["out"])],["/nix/store/x-source"],"x86_64-linux","/bin/sh",'
    '["a\\"b\\n\\tü\\\\$x"],[("name","c"),("spec","{\\"a\\": [1]}")])'
)


def derivation(**given: object) -> Derivation:
    parts = {"outputs": (PINNED,), "fixed": True, "inputs": (), "builder": "/bin/sh", "variables": {"name": "f"}}
    return Derivation(**{**parts, **given})  # type: ignore[arg-type]


def test_a_derivation_is_read() -> None:
    assert parse_derivation(DOWNLOAD.encode()).fixed
    step = parse_derivation(STEP.encode())
    assert (step.fixed, step.builder, step.variables["spec"]) == (False, "/bin/sh", '{"a": [1]}')
    assert step.inputs == ("/nix/store/lq61pqkw1q0j5wxlkhszr2iyj0m4b22c-f.drv",)


@pytest.mark.parametrize(
    "data",
    [b"", b"Derive", b"Derive(", b"Derive([],[])", b'DrvWithVersion("xp-dyn-drv",[])', b"Derive(__import__('os'))"],
)
def test_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"unknown kind|malformed|unpack"):
        parse_derivation(data)


def test_only_nix_itself_fetches_and_only_what_is_pinned() -> None:
    download = parse_derivation(DOWNLOAD.encode())
    assert find_reaching_out([download, parse_derivation(STEP.encode())], {PINNED}) == ()
    (unpinned,) = find_reaching_out([download], set())
    assert unpinned == "fetch f, which the lock does not pin"
    (offline,) = find_reaching_out([download], {PINNED}, offline=True)
    assert offline == "fetch f, although nothing may be fetched"
    (program,) = find_reaching_out([derivation()], {PINNED})
    assert program == "run a program of its own with the network, to make f"


@pytest.mark.parametrize(
    "variable", ["requiredSystemFeatures", "__json", "__impure", "__impureHostDeps", "__noChroot", "__contentAddressed"]
)
def test_a_step_gets_no_more_than_a_sandbox_gives(variable: str) -> None:
    step = derivation(fixed=False, variables={"name": "f", variable: "1"})
    assert find_reaching_out([step], {PINNED}) == (f"build f with more rights than a sandbox gives ({variable})",)


def test_a_step_of_which_nothing_is_known_before_is_not_pinned() -> None:
    """Its output has a hash that is not given: an experiment of Nix."""
    floating = STEP.replace('"/nix/store/3zggbz6j9czmk25sjqf9xcx5jgj2dw55-c","",""', '"","r:sha256",""')
    assert find_reaching_out([parse_derivation(floating.encode())], {PINNED}) == (
        "fetch c, which the lock does not pin",
    )

"""Refuse to build what would lose values of its workflow, until the user acknowledges them."""

from collections.abc import Collection, Sequence

from pycomfy import operation
from pycomfy.core.prompt.lost_values import LostValue, describe_lost, list_unused, refuse_lost
from pycomfy.errors import raise_all


def judge_lost(lost: Sequence[LostValue], accepted: Collection[str], where: str, *, refuse: bool = True) -> None:
    """Report what has no place in the prompt, and entries of `accepted` that match nothing any more. With `refuse`,
    raise what is not accepted, as `LostInput`; without, as where ComfyUI's own editor made the prompt, it is only
    reported."""
    for entry in list_unused(lost, accepted):
        operation.report(f"note: lost-values in pycomfy.toml names {entry}, but nothing is lost there")
    if refuse:
        raise_all(refuse_lost(lost, accepted, where))
    for one in describe_lost(lost):
        operation.report(f"note: {one}")

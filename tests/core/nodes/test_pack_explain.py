"""Every type that runs has a provider with a reason."""

from pycomfy.core.catalog.model import Listing
from pycomfy.core.lockfile.schema import Lock
from pycomfy.core.nodes.pack_explain import Reason, explain_choices
from pycomfy.core.nodes.pack_resolution import ProviderChoice
from pycomfy.core.requirements.model import Provenance, RequiredNode
from tests.support.service_projects import make_lock


def lock(*types: str) -> Lock:
    """A lock whose pack `painter` has these types."""
    made = make_lock("hello", b"")
    return made.model_copy(update={"packs": (made.packs[0].model_copy(update={"types": types}),)})


def node(type_: str, pack: Provenance | None = None, state: str = "runs") -> RequiredNode:
    return RequiredNode("1", type_, type_, state, pack)  # type: ignore[arg-type]


def test_a_type_of_comfyui_names_its_version() -> None:
    (reason,) = explain_choices(lock(), [node("KSampler", Provenance("comfy-core")), node("KSampler")], (), {})
    evidence = "ComfyUI 0.3.75 has it, and skips those of node packs"
    assert reason == Reason("KSampler", "ComfyUI", "built-in", evidence, "")


def test_a_type_of_comfyui_that_the_workflow_takes_from_packs_names_them() -> None:
    stated = (Provenance("z"), Provenance("id", "owner/x"), Provenance(None, "a/b"), Provenance("comfy-core"))
    (reason,) = explain_choices(lock(), [node("T", one) for one in stated], (), {})
    assert reason.evidence.endswith("those of node packs; according to the workflow it is from a/b, id, z")


def test_a_chosen_type_has_the_reason_of_its_choice_and_of_its_commit() -> None:
    chosen = ProviderChoice("T", Listing("github.com/o/r", "u"), "registry", "only this one")
    (reason,) = explain_choices(lock("T"), [node("T")], [chosen], {"painter": "the newest", "other": "no"})
    assert reason == Reason("T", "painter", "registry", "only this one", "the newest")
    (reason,) = explain_choices(lock("T"), [node("T")], [chosen], {})
    assert reason.commit == ""


def test_a_type_without_a_choice_is_of_a_found_pack_or_of_one_that_was_named() -> None:
    (reason,) = explain_choices(lock("T"), [node("T")], (), {"painter": "why"})
    evidence = "a pack that other types need provides it"
    assert reason == Reason("T", "painter", "together", evidence, "why")
    (reason,) = explain_choices(lock("T"), [node("T")], (), {"other": "why"})
    assert reason == Reason("T", "painter", "configured", "you named the pack", "")


def test_types_are_sorted_and_those_that_do_not_run_are_left_out() -> None:
    nodes = [node("C"), node("A"), node("B"), node("Off", state="muted")]
    assert [r.type for r in explain_choices(lock("B"), nodes, (), {})] == ["A", "B", "C"]

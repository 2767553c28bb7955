"""Which jobs go well together."""

from pycomfy.gateway.graph.affinity import find_affinity


def graph(*models: object) -> dict[str, object]:
    return {str(i): {"class_type": "Load", "inputs": {"name": m, "x": ["1", 0]}} for i, m in enumerate(models)}


def test_the_same_models_in_any_order_have_one_name() -> None:
    assert find_affinity(graph("a.safetensors", "b.ckpt")) == find_affinity(graph("b.ckpt", "a.safetensors"))
    assert find_affinity(graph("a.safetensors")) != find_affinity(graph("b.safetensors"))


def test_a_graph_without_models_has_none() -> None:
    assert find_affinity(graph("a prompt.", 3, None)) == ""
    assert find_affinity({"1": None, "2": {"inputs": []}}) == ""

from pycomfy.core.workflow.core_replacements import KNOWN, find_replacements, replaced_by

SOURCE = """
from comfy_api.latest import node_replace
def register():
    node_replace.register(node_replace.NodeReplace(new_node_id="New", old_node_id="Old", old_widget_ids=["a"]))
    node_replace.register(node_replace.NodeReplace(new_node_id=computed(), old_node_id="Other"))
"""


def test_what_the_source_of_comfyui_replaces_is_known() -> None:
    files = {
        "comfy_extras/nodes_replacements.py": SOURCE,
        "custom_nodes/pack/__init__.py": SOURCE.replace("Old", "Not"),
    }
    assert find_replacements(files, {"New"}) == {"Old": "New"}
    assert find_replacements(files, {"New", "Old"}) == {} and find_replacements(files, ()) == {}
    assert find_replacements({"comfy_extras/x.py": "NodeReplace("}, {"New"}) == {}


def test_a_type_that_a_server_still_has_is_not_replaced() -> None:
    assert replaced_by("T2IAdapterLoader", {"ControlNetLoader"}) == "ControlNetLoader"
    assert replaced_by("T2IAdapterLoader", {"ControlNetLoader", "T2IAdapterLoader"}) is None
    assert replaced_by("T2IAdapterLoader", {"Other"}) is None and replaced_by("Mine", {"ControlNetLoader"}) is None
    assert not set(KNOWN) & set(KNOWN.values())

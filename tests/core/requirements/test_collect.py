"""What a workflow needs: nodes with their packs, models, files."""

import json
from typing import Any

import pytest

from pycomfy.core.prompt.node_definitions import parse_node_spec
from pycomfy.core.requirements.collect import collect_requirements, list_model_inputs, list_provenance
from pycomfy.core.requirements.model import Provenance, RequiredFile, RequiredModel, WorkflowRequirements
from pycomfy.core.requirements.model_files import ModelInputs, portable_values
from pycomfy.core.workflow.parse import parse_workflow
from tests.support.graphs import definition, linked, node, parsed, slot, subgraph, ui, widget

INFO = {
    "CheckpointLoaderSimple": definition({"ckpt_name": [[]]}, outputs=["MODEL"]),
    "CLIPTextEncode": definition({"text": ["STRING", {"multiline": True}]}, outputs=["C"]),
    "Custom": definition({"lora_02": [["None", "x.safetensors"]], "note": ["STRING"]}, outputs=["C"]),
    "Odd": definition({"which": ["COMBO", {"options": ["z.gguf"]}]}, outputs=["C"]),
    "LoadImage": definition({"image": [["a.png"], {"image_upload": True}]}, outputs=["IMAGE"]),
    "Upload": definition({"clip": [["a.mp4"], {"video_upload": True}]}, outputs=["VIDEO"]),
}


def needs(*nodes: dict[str, Any], info: Any = INFO, **more: Any) -> WorkflowRequirements:
    return collect_requirements(parsed(ui(list(nodes), [], **more)), info)


def test_states_and_provenance() -> None:
    found = needs(
        node(1, "A", outputs=["X"], properties={"cnr_id": "comfy-core", "ver": "v0.3.64"}),
        node(2, "B", mode=2, properties={"aux_id": "me/b", "ver": "unknown"}),
        node(3, "C", mode=4, properties={"cnr_id": "c"}),
        node(4, "Note"),
        node(5, "Bookmark of a pack"),
        node(6, "Of a pack", properties={"cnr_id": "d"}),
        extra={"node_versions": {"c": "9.9"}},
    )
    assert [(n.type, n.state, n.pack) for n in found.nodes] == [
        ("A", "runs", Provenance("comfy-core", None, "0.3.64")),
        ("B", "muted", Provenance(None, "me/b", None)),
        ("C", "bypassed", Provenance("c", None, "9.9")),
        ("Bookmark of a pack", "left-out", None),
        ("Of a pack", "runs", Provenance("d", None, None)),
    ]
    assert found.types == ("A", "Of a pack")


def test_nodes_in_a_host_that_is_off_are_off() -> None:
    graph = subgraph("sg", [node(5, "A")], [], [], [])
    found = needs(node(2, "sg", mode=4), definitions={"subgraphs": [graph]})
    assert [(n.id, n.state) for n in found.nodes] == [("2:5", "bypassed")]


@pytest.mark.parametrize("info", [INFO, None])
def test_models_of_loaders_with_and_without_definitions(info: Any) -> None:
    found = needs(node(1, "CheckpointLoaderSimple", values=("sub\\b.safetensors",)), info=info)
    assert found.models == (RequiredModel("checkpoints", "sub/b.safetensors", "1"),)


def test_declared_models_give_url_and_hash() -> None:
    model = {
        "name": "b.safetensors",
        "url": "https://example.org/b",
        "directory": "clip",
        "hash": "A" * 64,
        "hash_type": "SHA256",
    }
    found = needs(node(1, "CheckpointLoaderSimple", values=("b.safetensors",), properties={"models": [model]}))
    assert found.models == (RequiredModel("text_encoders", "b.safetensors", "1", "https://example.org/b", "a" * 64),)


def test_a_stale_declaration_is_not_needed() -> None:
    model = {"name": "old.safetensors", "url": "https://example.org/b", "directory": "checkpoints"}
    found = needs(node(1, "CheckpointLoaderSimple", values=("new.safetensors",), properties={"models": [model]}))
    assert [m.name for m in found.models] == ["new.safetensors"]


def test_models_of_custom_loaders() -> None:
    found = needs(node(1, "Custom", values=("x.safetensors", "see y.safetensors")), node(2, "Odd", values=("z.gguf",)))
    assert found.models == (RequiredModel("loras", "x.safetensors", "1"), RequiredModel(None, "z.gguf", "2"))


def test_models_in_values_that_are_objects() -> None:
    """As in the rows of rgthree's Power Lora Loader."""
    row = {"on": True, "lora": "ink\\wash.safetensors", "strength": 0.8}
    nodes = {"1": {"class_type": "Power Lora Loader (rgthree)", "inputs": {"lora_1": row, "model": ["9", 0]}}}
    assert collect_requirements(parsed(nodes)).models == (RequiredModel("loras", "ink/wash.safetensors", "1"),)


def test_models_of_inputs_with_a_number_in_their_name() -> None:
    inputs = {"lora_1_name": "a.safetensors", "lora_02": "b.safetensors", "clip_name3": "c.safetensors"}
    found = collect_requirements(parsed({"1": {"class_type": "Stack", "inputs": inputs}})).models
    assert [(m.folder, m.name) for m in found] == [
        ("loras", "a.safetensors"),
        ("loras", "b.safetensors"),
        ("text_encoders", "c.safetensors"),
    ]


def test_loras_in_texts_of_nodes_that_load_them() -> None:
    text = "a cat <lora:wild:0.7> <lora:sub\\tame.safetensors:1:LBW=x> <lora:wild:1>"
    nodes = {
        "1": {"class_type": "ImpactWildcardEncode", "inputs": {"populated_text": text}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": text}},
    }
    found = collect_requirements(parsed(nodes)).models
    assert [(m.folder, m.name, m.node) for m in found] == [
        ("loras", "wild", "1"),
        ("loras", "sub/tame.safetensors", "1"),
    ]


def test_a_model_is_listed_once_where_some_values_have_no_name() -> None:
    """Old files list no widgets: the values of a loader are known by name in part only."""
    values = ("t5.safetensors", "clip_l.safetensors", "flux")
    assert [(m.folder, m.name) for m in needs(node(1, "DualCLIPLoader", values=values), info={}).models] == [
        ("text_encoders", "t5.safetensors"),
        ("text_encoders", "clip_l.safetensors"),
    ]


def test_names_of_models_get_the_separator_that_the_image_has() -> None:
    """Whatever else has a backslash keeps it."""
    loader = parse_node_spec(
        "Loader", {"input": {"required": {"ckpt_name": [["sub/a.ckpt"], {}], "x": ["STRING", {}]}}}
    )
    assert portable_values("Loader", {"ckpt_name": "sub\\a.ckpt", "x": "C:\\new"}, loader) == {
        "ckpt_name": "sub/a.ckpt",
        "x": "C:\\new",
    }
    text = "a\\b embedding:neg\\bad.pt <lora:sub\\x:1>"
    assert portable_values("CLIPTextEncode", {"text": text, "link": ["1", 0]}, None) == {
        "text": "a\\b embedding:neg/bad.pt <lora:sub\\x:1>",
        "link": ["1", 0],
    }
    row = {"on": True, "lora": "ink\\wash.safetensors"}
    assert portable_values("Power Lora Loader (rgthree)", {"lora_1": row}, None) == {
        "lora_1": {"on": True, "lora": "ink/wash.safetensors"}
    }
    assert portable_values("ImpactWildcardEncode", {"text": "<lora:sub\\x:1>"}, None) == {"text": "<lora:sub/x:1>"}


def test_choices_that_name_no_file() -> None:
    assert needs(node(1, "Custom", values=("None", ""))).models == ()


def test_embeddings_in_prompts() -> None:
    found = needs(node(1, "CLIPTextEncode", values=("a (embedding:easy:1.2), embedding:sub/bad.pt, x",)))
    assert [(m.folder, m.name) for m in found.models] == [("embeddings", "easy"), ("embeddings", "sub/bad.pt")]


def test_nodes_that_are_off_need_no_models() -> None:
    assert needs(node(1, "CheckpointLoaderSimple", values=("b.safetensors",), mode=2)).models == ()


def test_models_that_a_subgraph_s_host_chooses() -> None:
    inner = [node(5, "CheckpointLoaderSimple", widget("ckpt_name", 81), values=("inner.ckpt",))]
    graph = subgraph("sg", inner, [[81, -10, 0, 5, 0, "COMBO"]], [slot("ckpt_name", "COMBO", 81)], [])
    found = needs(node(2, "sg", widget("ckpt_name"), values=("host.ckpt",)), definitions={"subgraphs": [graph]})
    assert [m.name for m in found.models] == ["host.ckpt"]


def test_input_files() -> None:
    found = needs(
        node(1, "LoadImage", values=("sub\\x.png [output]", "image")), node(2, "Upload", values=("v.mp4", "image"))
    )
    assert found.files == (
        RequiredFile("sub/x.png", "image", "1", "image", "output"),
        RequiredFile("v.mp4", "video", "2", "clip"),
    )


def test_input_files_of_an_api_workflow() -> None:
    workflow = parsed({"1": {"class_type": "LoadImage", "inputs": {"image": "x.png"}}})
    assert collect_requirements(workflow).files == (RequiredFile("x.png", "image", "1", "image"),)


def test_linked_values_name_nothing() -> None:
    workflow = ui([node(1, "A"), node(2, "LoadImage", linked("image", 1), values=("x.png",))], [[1, 1, 0, 2, 0, "S"]])
    assert collect_requirements(parsed(workflow), INFO).files == ()


def test_a_node_of_an_unknown_type_that_lists_some_of_its_widgets_hides_no_model() -> None:
    found = needs(node(1, "New", widget("device"), values=("a.safetensors", "b.ckpt", "cpu")), info={})
    assert [m.name for m in found.models] == ["a.safetensors", "b.ckpt"]


def test_what_a_pack_s_source_says_of_an_input_wins_over_its_name() -> None:
    nodes = [
        node(1, "RIFE VFI", values={"ckpt_name": "rife47.pth"}),
        node(2, "Loader", values={"model_name": "sub\\a.safetensors", "lora_name": "b.safetensors", "mode": "x"}),
    ]
    known: ModelInputs = {
        "RIFE VFI": {"ckpt_name": None},
        "Loader": {"model_name": "diffusion_models", "lora_name": "loras"},
    }
    assert [(m.folder, m.name) for m in needs(*nodes, info=None).models] == [
        ("checkpoints", "rife47.pth"),
        (None, "sub/a.safetensors"),
        ("loras", "b.safetensors"),
    ]
    found = collect_requirements(parsed(ui(nodes, [])), None, known).models
    assert [(m.folder, m.name) for m in found] == [
        ("diffusion_models", "sub/a.safetensors"),
        ("loras", "b.safetensors"),
    ]


def test_a_value_without_a_name_is_in_the_only_folder_of_its_node() -> None:
    nodes = [node(1, "Two", values=("a.pt", 3)), node(2, "One", values=("b.pt", 4))]
    known: ModelInputs = {"Two": {"x": "loras", "y": "vae"}, "One": {"x": "loras", "y": "loras"}}
    found = collect_requirements(parsed(ui(nodes, [])), None, known).models
    assert [(m.folder, m.name) for m in found] == [(None, "a.pt"), ("loras", "b.pt")]


def test_a_lock_keeps_only_what_the_names_of_inputs_do_not_tell() -> None:
    nodes = [
        node(1, "A", values={"ckpt_name": "a.pt", "model_name": "b.pt", "other": "text"}),
        node(2, "Off", values={"model_name": "b.pt"}, mode=2),
    ]
    known: ModelInputs = {
        "A": {"ckpt_name": "checkpoints", "model_name": "unet_gguf", "other": "loras", "unused": "vae"},
        "Off": {"model_name": "vae"},
        "Elsewhere": {"model_name": "vae"},
    }
    assert list_model_inputs(parsed(ui(nodes, [])), known) == {"A": {"model_name": "diffusion_models"}}
    hostile: ModelInputs = {"A": {"model_name": "../../custom_nodes"}}
    assert list_model_inputs(parsed(ui(nodes, [])), hostile) == {}


def test_what_nodes_state_of_their_packs_is_the_same_without_making_the_workflow_flat() -> None:
    inner = {"nodes": [{"id": 5, "type": "Inner", "properties": {"aux_id": "a/inner"}}], "links": []}
    data = {
        "nodes": [
            {"id": 1, "type": "Sky", "properties": {"cnr_id": "sky", "ver": "v1.2"}},
            {"id": 2, "type": "Sky", "properties": {}},
            {"id": 3, "type": "g", "properties": {}},
        ],
        "links": [],
        "definitions": {"subgraphs": [{"id": "g", "name": "G", "inputs": [], "outputs": [], **inner}]},
        "version": 1,
    }
    workflow = parse_workflow(json.dumps(data), where="w")
    found = list_provenance(workflow)
    assert found == {"Sky": Provenance("sky", None, "1.2"), "Inner": Provenance(None, "a/inner", None)}
    assert found == {n.type: n.pack for n in collect_requirements(workflow).nodes if n.pack is not None}

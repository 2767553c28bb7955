"""Answer questions about flat nodes: definition, slots, widgets and their values, each computed once."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from pycomfy.core.prompt import packs
from pycomfy.core.prompt.flatten import SETTERS, VIRTUAL, VIRTUAL_FROM_PACKS, FlatNode, OpenGraph
from pycomfy.core.prompt.frontend_nodes import CUSTOM_COMBO, add_widgets
from pycomfy.core.prompt.node_definitions import Definitions, InputSpec, NodeSpec
from pycomfy.core.prompt.slots import defined_slots, host_slots, link_slots, node_slots
from pycomfy.core.prompt.widgets import RestoredWidgets, Widget, make_widgets, restore_widgets
from pycomfy.core.workflow.model import Input, Link, Node

# fmt: off
FIRST_WIDGETS: Mapping[str, tuple[str, ...]] = {
    "CheckpointLoader": ("config_name", "ckpt_name"), "CheckpointLoaderSimple": ("ckpt_name",),
    "unCLIPCheckpointLoader": ("ckpt_name",), "ImageOnlyCheckpointLoader": ("ckpt_name",),
    "VAELoader": ("vae_name",), "LoraLoader": ("lora_name",), "LoraLoaderModelOnly": ("lora_name",),
    "UNETLoader": ("unet_name",), "CLIPLoader": ("clip_name",), "CLIPVisionLoader": ("clip_name",),
    "DualCLIPLoader": ("clip_name1", "clip_name2"),
    "TripleCLIPLoader": ("clip_name1", "clip_name2", "clip_name3"),
    "QuadrupleCLIPLoader": ("clip_name1", "clip_name2", "clip_name3", "clip_name4"),
    "ControlNetLoader": ("control_net_name",), "DiffControlNetLoader": ("control_net_name",),
    "StyleModelLoader": ("style_model_name",), "GLIGENLoader": ("gligen_name",),
    "HypernetworkLoader": ("hypernetwork_name",), "UpscaleModelLoader": ("model_name",),
    "PhotoMakerLoader": ("photomaker_model_name",), "CreateHookLora": ("lora_name",),
    "CreateHookLoraModelOnly": ("lora_name",), "CreateHookModelAsLora": ("ckpt_name",),
    "CreateHookModelAsLoraModelOnly": ("ckpt_name",), "ModelPatchLoader": ("name",),
    "AudioEncoderLoader": ("audio_encoder_name",), "CLIPTextEncode": ("text",), "SaveImage": ("filename_prefix",),
    "LoadImage": ("image",), "LoadImageMask": ("image",), "LoadAudio": ("audio",), "LoadVideo": ("file",),
    "LoadLatent": ("latent",), "Load3D": ("model_file",),
}
# fmt: on
"""The first widgets of well-known nodes, for old files without a server's definitions."""


class NodeDetails:
    """The flat nodes of a workflow. The hosts of a subgraph share its nodes, and so the answers about them."""

    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions
        self._widgets: dict[str, list[Widget]] = {}
        self._defined: dict[str, tuple[Input, ...]] = {}
        self._slots: dict[int, tuple[Input, ...]] = {}
        self._restored: dict[int, RestoredWidgets] = {}
        self._setters: dict[int, Mapping[str, FlatNode]] = {}
        self._links: dict[int, Mapping[str, Sequence[Link]]] = {}
        self._linked: dict[int, frozenset[str]] = {}

    def spec(self, flat: FlatNode) -> NodeSpec | None:
        """Return the definition of a node; None if its type is unknown."""
        return self.definitions.find(flat.node.type)

    def is_virtual(self, flat: FlatNode) -> bool:
        """Return whether a node exists only in the editor: hosts, reroutes, notes, primitives, and nodes of packs'
        JavaScript, such as Set/Get, that the server lacks."""
        type_ = flat.node.type
        if flat.inner is not None or type_ in VIRTUAL:
            return True
        return type_ in VIRTUAL_FROM_PACKS and self.spec(flat) is None

    def is_apart(self, flat: FlatNode) -> bool:
        """Return whether nothing can come in or go out of a node whose type the server lacks: it has no sockets and no
        links, as notes, bookmarks and labels of packs. One that names its pack was a server's node when it was saved.
        Without definitions nobody knows."""
        return self.definitions.known and self.spec(flat) is None and self.is_unlinkable(flat)

    def is_unlinkable(self, flat: FlatNode) -> bool:
        """Return whether a node that is not virtual has no sockets and no links, and names no pack."""
        node = flat.node
        if node.properties.get("cnr_id") or node.properties.get("aux_id") or node.inputs or node.outputs:
            return False
        if node.type in VIRTUAL_FROM_PACKS:
            return False
        return not self._incoming(flat) and node.id not in self._origins(flat)

    def _origins(self, flat: FlatNode) -> frozenset[str]:
        """The nodes of a node's graph that links come from."""
        saved = flat.graph.saved
        if id(saved) not in self._linked:
            self._linked[id(saved)] = frozenset(link.origin for link in saved.links.values())
        return self._linked[id(saved)]

    def slots(self, flat: FlatNode) -> tuple[Input, ...]:
        """Return the input slots of a node, with the links that the graph's table has for them."""
        key = id(flat.node)
        found = self._slots.get(key)
        if found is None:
            saved = flat.node.inputs if flat.inner is None else ()
            found = self._slots[key] = link_slots(self._make_slots(flat), self._incoming(flat), saved)
        return found

    def unplaced(self, flat: FlatNode) -> Iterator[tuple[str, Link | None]]:
        """Yield the links to a node that no slot takes, with the names of the inputs that they should be linked to, or
        their numbers: `inputs[2]`. None stands for a link that its graph's table lacks."""
        saved, incoming = flat.node.inputs, self._incoming(flat)
        linked = {slot.link: slot.name for slot in self.slots(flat) if slot.link is not None}
        for link in incoming:
            if link.id in linked:
                continue
            at = link.target_slot
            name = saved[at].name if 0 <= at < len(saved) else f"inputs[{at}]"
            if name not in linked.values():
                yield name, link
        for input_ in saved:
            if input_.link is None or input_.link in linked or input_.name in linked.values():
                continue
            if all(input_.link != link.id for link in incoming):
                yield input_.name, None

    def _incoming(self, flat: FlatNode) -> Sequence[Link]:
        """The links to a node, in the order of its graph's table."""
        saved = flat.graph.saved
        if id(saved) not in self._links:
            by_target: defaultdict[str, list[Link]] = defaultdict(list)
            for link in saved.links.values():
                by_target[link.target].append(link)
            self._links[id(saved)] = by_target
        return self._links[id(saved)].get(flat.node.id, ())

    def _make_slots(self, flat: FlatNode) -> tuple[Input, ...]:
        node = flat.node
        if flat.inner is not None and flat.inner.subgraph is not None:
            return host_slots(flat.inner.subgraph, node)
        spec = None if self.is_virtual(flat) else self.spec(flat)
        if spec is None:
            return node.inputs
        node = packs.read_saved(node)
        widgets = self.restored(flat).widgets
        if spec.type == CUSTOM_COMBO:
            return node_slots(defined_slots(spec, widgets), node)
        if any(w.parts is not None for w in widgets):
            values = self.restored(flat).values
            chosen = [w._replace(default=values[w.name]) if w.parts is not None else w for w in widgets]
            return node_slots(defined_slots(spec, chosen), node)
        if spec.type not in self._defined:
            self._defined[spec.type] = defined_slots(spec, widgets)
        return node_slots(self._defined[spec.type], node)

    def output_type(self, flat: FlatNode, slot: int) -> str:
        """Return the type of an output, by the definition; `*` where it depends on the links."""
        if flat.inner is not None and flat.inner.subgraph is not None:
            outputs: Sequence[object] = flat.inner.subgraph.outputs
        else:
            spec = self.spec(flat)
            outputs = spec.outputs if spec is not None and slot < len(spec.outputs) else flat.node.outputs
        type_ = getattr(outputs[slot], "type", "*") if slot < len(outputs) else "*"
        return "*" if type_ == "COMFY_MATCHTYPE_V3" else str(type_)

    def restored(self, flat: FlatNode) -> RestoredWidgets:
        """Return the widgets of a node with the values in the file; guessed ones if its type is unknown."""
        node = flat.node
        found = self._restored.get(id(node))
        if found is None:
            found = self._restored[id(node)] = self._restore(node)
        return found

    def _restore(self, node: Node) -> RestoredWidgets:
        found = self._restore_defined(packs.read_saved(node))
        own, rules = packs.own_values(node), packs.widgets(node.type)
        settle = packs.settling(node.type)
        settled = settle({w.name: w.options for w in found.widgets}, found.values) if settle is not None else {}
        if not (own or rules.unsent or rules.fixed or settled):
            return found
        widgets = (w._replace(sent=w.sent and w.name not in rules.unsent) for w in found.widgets)
        added = (Widget(name, "CUSTOM", value) for name, value in own.items())
        return RestoredWidgets(
            (*widgets, *added),
            {**found.values, **own, **settled, **rules.fixed},
            {} if own else found.left,
            found.unset,
        )

    def _restore_defined(self, node: Node) -> RestoredWidgets:
        spec = self.definitions.find(node.type)
        if spec is None:
            guessed = guess_spec(node)
            return restore_widgets(guessed, make_widgets(guessed.inputs), node)._replace(left={})
        if spec.type not in self._widgets:
            self._widgets[spec.type] = make_widgets(spec.inputs)
        return restore_widgets(spec, add_widgets(node, self._widgets[spec.type]), node)

    def widget(self, flat: FlatNode, name: str) -> Widget | None:
        """Return the widget with this name; None if there is none."""
        return next((w for w in self.restored(flat).widgets if w.name == name), None)

    def setter(self, getter: FlatNode) -> FlatNode | None:
        """Return the SetNode with the name that a GetNode refers to: in its own graph, else in the graphs around it.

        Of several in one graph it is the first: the pack renames the others when it loads them.
        """
        name = _first_value(getter.node)
        graph: OpenGraph | None = getter.graph if name else None
        while graph is not None:
            if id(graph) not in self._setters:
                self._setters[id(graph)] = {
                    _first_value(p.node): p
                    for p in reversed(graph.nodes.values())
                    if p.node.type in SETTERS and self.is_virtual(p)
                }
            found = self._setters[id(graph)].get(name)
            if found is not None:
                return found
            graph = graph.host.graph if graph.host is not None else None
        return None


def guess_spec(node: Node) -> NodeSpec:
    """Return a definition for a node of an unknown type, from the file: newer files list every widget among the inputs,
    in order."""
    if isinstance(node.values, Mapping) or node.named is not None:
        names = [*(node.named if node.named is not None else node.values)]
        inputs = [InputSpec(str(n), "STRING", {}) for n in names if n not in ("control_after_generate", "videopreview")]
    else:
        inputs = [InputSpec(i.widget, _guess_type(i), {}) for i in node.inputs if i.widget is not None]
        if not inputs:
            inputs = [InputSpec(n, "STRING", {}) for n in FIRST_WIDGETS.get(node.type, ())[: len(node.values)]]
    return NodeSpec(node.type, tuple(inputs), (), node.type, output_node=False)


def _guess_type(input_: Input) -> str:
    return input_.type if input_.type in ("INT", "FLOAT", "BOOLEAN", "COMBO") else "STRING"


def _first_value(node: Node) -> str:
    return str(node.listed_values[0]) if node.listed_values else ""

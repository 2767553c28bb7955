"""Convert a workflow to the prompt that ComfyUI's editor would send, without a browser.

The words, besides those of the glossary:

- A *definition* is what a server's `/object_info` says of a node type; a *spec* is a part of it, parsed (`NodeSpec`,
  `InputSpec`). Node packs can add to it in the browser only.
- An input is a *socket*, which takes a link, or a *widget*, which has a value; a linked widget has a *slot* too.
  Widgets are *restored*: their values are those that the file has, by position or by name, put to the right widgets.
- A *virtual* node exists in the editor only, and is not in the prompt: a note, a reroute, a *primitive*
  (`PrimitiveNode`, which has one value for the widgets that it is linked to), a pair of Set and Get.
- A *host* is the node that stands for a subgraph; so does a group node, the older form. To *open* it is to put the
  nodes of its subgraph into the list, once for each host. A widget of an inner node that the host shows, and sets, is
  *promoted*.
- A workflow is made *flat* by opening all hosts (`flatten`, `FlatNode`, `FlatWorkflow`). The *source* of an input is
  the output, or the constant, that is left when virtual nodes, hosts and bypassed nodes between are passed through.
- A node is *muted* or *bypassed* by its user; it is *silent* if a host above it is.
"""

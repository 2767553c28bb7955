// Set and Get: a link without a line, as node packs make them. A Get takes what goes into the Set of its name, in its
// own graph or in one around it.
import { app } from "/scripts/app.js";

const { LGraphNode } = LiteGraph;

class EditorNode extends LGraphNode {
  isVirtualNode = true;
  serialize_widgets = true;

  constructor(title, inputs) {
    super(title);
    for (const name of inputs) this.addInput(name, "*");
    this.addOutput("*", "*");
  }
}

class SetNode extends EditorNode {
  constructor() {
    super("Set", ["*"]);
    this.addWidget("text", "Constant", "", () => {});
  }
}

class GetNode extends EditorNode {
  constructor() {
    super("Get", []);
    this.addWidget("combo", "Constant", "", () => {}, { values: [] });
  }

  setterIn(graph) {
    const name = this.widgets[0].value;
    return name ? graph.nodes.find((n) => n.type === "SetNode" && n.widgets[0].value === name) : undefined;
  }

  getInputLink() {
    const id = this.setterIn(this.graph)?.inputs[0].link;
    return id == null ? null : this.graph.getLink(id);
  }

  // For a Set in a graph around this one.
  resolveVirtualOutput() {
    if (this.setterIn(this.graph)) return undefined;
    for (let graph = around(this.graph); graph; graph = around(graph)) {
      const setter = this.setterIn(graph);
      const link = setter && graph.getLink(setter.inputs[0].link);
      if (link) return { node: graph.getNodeById(link.origin_id), slot: link.origin_slot };
    }
    return undefined;
  }
}

// The graph that has a host of `graph`.
function around(graph) {
  const root = app.graph.rootGraph ?? app.graph;
  return [root, ...root.subgraphs.values()].find((g) => g.nodes.some((n) => n.subgraph === graph));
}

app.registerExtension({
  name: "story.editorNodes",
  registerCustomNodes() {
    LiteGraph.registerNodeType("SetNode", SetNode);
    LiteGraph.registerNodeType("GetNode", GetNode);
  },
});

// What scripts of packs do to widgets, one way for each rule: add, take away, leave out, always send the same.
import { app } from "/scripts/app.js";

const CHANGES = {
  "easy sliderControl": (node) => node.addWidget("text", "values", "", () => {}),
  "Interpolate Clip Sequential (mtb)": (node) => {
    node.addWidget("button", "+", "add", () => {});
    node.addWidget("button", "-", "remove", () => {});
  },
  "SDXL Power Prompt - Positive (rgthree)": (node) => {
    node.widgets = node.widgets.filter((w) => !["target_width", "crop_width"].includes(w.name));
  },
  "Power Prompt (rgthree)": (node) => {
    node.widgets.find((w) => w.name === "insert_lora").options.serialize = false;
  },
  "ttN textDebug": (node) => {
    node.addWidget("text", "display", "", () => {}).serializeValue = () => "";
  },
  VHS_SelectLatest: (node) => {
    node.isVirtualNode = true;
  },
};

app.registerExtension({
  name: "story.packWidgets",
  getCustomWidgets: () => ({
    MTB_COLOR: (node, name, [, options]) => ({ widget: node.addWidget("text", name, options.default, () => {}) }),
  }),
  nodeCreated(node) {
    CHANGES[node.comfyClass]?.(node);
  },
  loadedGraphNode(node) {
    if (node.comfyClass === "PreviewBridge") node.widgets.find((w) => w.name === "image").value = `$${node.id}-0`;
  },
});

// Rows: the saved rows become inputs that no definition lists; a seed of -1 is drawn anew each time the editor queues.
import { app } from "/scripts/app.js";

app.registerExtension({
  name: "story.rows",
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (nodeData.name !== "StoryRows") return;
    const configured = nodeType.prototype.onConfigure;
    nodeType.prototype.onConfigure = function (info) {
      configured?.apply(this, arguments);
      const rows = (info.properties?.rows ?? []).filter((row) => row.on);
      rows.forEach((row, index) => {
        const widget = this.addWidget("text", `row_${index + 1}`, row.text, () => {});
        widget.serializeValue = () => ({ text: row.text.toUpperCase(), since: new Date().getFullYear() > 2000 });
      });
      const seed = this.widgets.find((widget) => widget.name === "seed");
      const saved = seed.value;
      seed.serializeValue = () => (saved === -1 ? Math.floor(Math.random() * 1e9) : saved);
      const url = info.properties?.asks;
      if (url) {
        const widget = this.addWidget("text", "answer", "", () => {});
        widget.serializeValue = () => fetch(url, { mode: "no-cors" }).then(() => "an answer", String);
      }
      if (info.properties?.fails) throw new Error("story_rows fails as it is told to");
    };
  },
});

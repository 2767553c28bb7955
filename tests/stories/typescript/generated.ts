// A client made by openapi-typescript from an image's own document: its types are those of the workflow's inputs.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

const base = process.env["COMFY_BASE_URL"];
if (base === undefined) throw new Error("COMFY_BASE_URL says which server");
const api = createClient<paths>({ baseUrl: base });

const inputs: components["schemas"]["Inputs"] = { width: 256, height: 160, seed: 3, title: "Generated" };
const { data: accepted, error, response } = await api.POST("/v1/jobs", {
  params: { header: { prefer: "wait=60" } },
  body: { inputs },
});
if (accepted === undefined) throw new Error(JSON.stringify(error));
let job = accepted;
while (!["succeeded", "failed", "canceled", "expired"].includes(job.status)) {
  const next = await api.GET("/v1/jobs/{id}", { params: { path: { id: job.id }, query: { wait: 60 } } });
  if (next.data === undefined) throw new Error(JSON.stringify(next.error));
  job = next.data;
}

// @ts-expect-error: the document says that it is a number
const wrong: components["schemas"]["Inputs"] = { width: "wide" };
const refusal = await api.POST("/v1/jobs", { body: { inputs: wrong } });

console.log(
  JSON.stringify({
    accepted: response.status,
    status: job.status,
    inputs: job.inputs,
    outputs: Object.values(job.outputs ?? {}).flat().length,
    refused: [refusal.response.status, refusal.error?.code],
  }),
);

import { HecCollector, hecAnswer } from "../hec-collector.ts";
import type { SinkKind } from "../sink-kind.ts";

export const splunkKind: SinkKind = {
  type: "splunk",
  settings: ["auth: { token: 0aa1-token }"],
  largeBodies: "compression: none",
  createStore: () => new HecCollector(),
  headers: { "content-type": "application/json" },
  isDelivery: (path) => path === "/services/collector/event",

  beside(request, response) {
    request.resume();
    response.writeHead(404).end();
  },

  countIn: (body) => body.toString("latin1").split("\n").length - 1,
  answersWithBody: true,
  keepsOnce: false,
  stranger: "sink_not_splunk",
  strangers: [{ status: 204, body: "" }, { status: 200, body: '{"text":"Success"}' }, hecAnswer(17)],
  busy: hecAnswer(26),
  unauthorized: hecAnswer(3),
  refused: hecAnswer(6),
  refusal: "13",
  reason: "Event field cannot be blank (code 13)",
};

/** The conformance suite for `src/sinks/loki/`: see `test/support/scenarios.ts`, and `docs/writing-a-sink.md` for a new one. */
import { lokiJsonKind, lokiKind } from "../support/kinds/loki.ts";
import { holdToConformance } from "../support/scenarios.ts";

holdToConformance(lokiKind);
holdToConformance(lokiJsonKind, " with JSON");

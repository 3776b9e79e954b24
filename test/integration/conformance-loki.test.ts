/** The conformance suite for `src/sinks/loki/`: see `test/support/scenarios.ts`, and `docs/writing-a-sink.md` for a new one. */
import { lokiKind } from "../support/kinds/loki.ts";
import { holdToConformance } from "../support/scenarios.ts";

holdToConformance(lokiKind);

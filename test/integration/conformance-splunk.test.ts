/** The conformance suite for `src/sinks/splunk/`: see `test/support/scenarios.ts`, and `docs/writing-a-sink.md` for a new one. */
import { splunkKind } from "../support/kinds/splunk.ts";
import { holdToConformance } from "../support/scenarios.ts";

holdToConformance(splunkKind);

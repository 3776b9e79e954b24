/** The conformance suite for `src/sinks/elasticsearch/`: see `test/support/scenarios.ts`, and `docs/writing-a-sink.md` for a new one. */
import { elasticsearchKind } from "../support/kinds/elasticsearch.ts";
import { holdToConformance } from "../support/scenarios.ts";

holdToConformance(elasticsearchKind);

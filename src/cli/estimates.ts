import type { Estimates } from "../config/plan.ts";
import type { InputConfig } from "../core/config.ts";
import { SHAPES_MAX_BYTES, STATE_BUFFER_BYTES } from "../core/limits.ts";
import type { RecordEncoder } from "../core/record.ts";
import { createRecordEncoder } from "../records/encoder.ts";
import { MEMBERS_BYTES } from "../records/members.ts";
import { scratchBytes } from "../records/payload.ts";
import { memoryOf } from "../sinks/create.ts";
import { elasticsearchWire } from "../sinks/elasticsearch/wire.ts";
import { SPLUNK_OVERHEAD_BYTES } from "../sinks/splunk/wire.ts";
import { stdoutWire } from "../sinks/stdout/wire.ts";

const FRAME_BYTES = Math.max(elasticsearchWire.overheadBytes, SPLUNK_OVERHEAD_BYTES, stdoutWire.overheadBytes);

/** What the stages say about their own buffers, for the memory plan. */
export function estimates(serviceName: string | undefined): Estimates {
  // The plan asks again and again with other sizes; an encoder depends on the input's fields alone.
  const encoders = new Map<InputConfig["fields"], RecordEncoder>();
  return {
    recordBytes({ format, timezone, fields, maxLineBytes }) {
      let encoder = encoders.get(fields);
      if (encoder === undefined) {
        encoder = createRecordEncoder({
          format,
          timezone,
          fields,
          ...(serviceName === undefined ? {} : { serviceName }),
        });
        encoders.set(fields, encoder);
      }
      return encoder.maxEncodedBytes(maxLineBytes) + FRAME_BYTES;
    },
    sinkPools: memoryOf,
    sharedPools: (maxLineBytes, inputs) => [
      { name: "line scratch", bytes: scratchBytes(maxLineBytes) },
      { name: "members of a line", bytes: MEMBERS_BYTES },
      // One more for letters of files that belong to no input.
      { name: "shapes of lines", bytes: (inputs + 1) * SHAPES_MAX_BYTES },
      { name: "journal buffer", bytes: STATE_BUFFER_BYTES },
    ],
  };
}

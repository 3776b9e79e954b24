import { DocumentWire } from "../../core/sink.ts";

const NEWLINE = 0x0a;

/** One document per line. */
export const stdoutWire: DocumentWire = new DocumentWire({
  overheadBytes: 1,
  begin: (_out, at) => at,
  end(out, at) {
    out[at] = NEWLINE;
    return at + 1;
  },
});

import { DocumentWire } from "../../core/sink.ts";

const BEFORE = Buffer.from('{"create":{"_id":"');
const BETWEEN = Buffer.from('"}}\n');
const NEWLINE = 0x0a;
/** Ids are 22 characters and a salt. */
const ID_MAX_BYTES = 64;

/** `_bulk`: an action line that creates the document under its id, and the document on the next line. */
export const elasticsearchWire: DocumentWire = new DocumentWire({
  overheadBytes: BEFORE.length + ID_MAX_BYTES + BETWEEN.length + 1,

  // Byte loops, since a native copy per record costs more than these few bytes.
  begin(out, at, id, idBytes) {
    let end = at;
    for (let i = 0; i < BEFORE.length; i++) out[end++] = BEFORE[i];
    for (let i = 0; i < idBytes; i++) out[end++] = id[i];
    for (let i = 0; i < BETWEEN.length; i++) out[end++] = BETWEEN[i];
    return end;
  },

  end(out, at) {
    out[at] = NEWLINE;
    return at + 1;
  },
});

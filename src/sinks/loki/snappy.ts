/**
 * The block format of snappy, which Loki wants its pushes in (not the framed one): the length of the whole, then literals and
 * copies of what came before. It is written here because the packages cannot do without new memory for every batch (decision 0012).
 */

/** Blocks stand for themselves: copies lead back at most so far, so a position fits into 16 bits. */
export const SNAPPY_BLOCK_BYTES = 65_536;

const HASH_BITS = 14;
/** Of a block's last bytes none begins a copy, so that four bytes can always be read at once. */
const MARGIN_BYTES = 15;
/** After so many bytes without a match every second place is looked at, then every third, … */
const SKIP_SHIFT = 5;
const COPY_MAX_BYTES = 64;

/** Where in the block four bytes with that hash were seen last. Compression is synchronous, so one table serves all sinks. */
const table = new Uint16Array(1 << HASH_BITS);

/** Most bytes that a text can take: what does not shrink goes as it is, with three bytes before each block. */
export function snappyMaxBytes(length: number): number {
  // Blocks are not always full: one ends where the next record would not fit whole.
  return 5 + length + 3 * (2 * Math.ceil(length / SNAPPY_BLOCK_BYTES) + 1);
}

/** Writes the length that stands before the blocks at out[at] and returns the offset behind it. */
export function writeSnappyLength(length: number, out: Buffer, at: number): number {
  let rest = length;
  for (; rest >= 0x80; rest >>>= 7) out[at++] = (rest & 0x7f) | 0x80;
  out[at++] = rest;
  return at;
}

/**
 * Compresses one block, the first `length` bytes of `source`, to out[at] and returns the offset behind it. It takes `length`
 * and three bytes more at most: a block that does not shrink goes as it is.
 */
export function compressBlock(source: DataView, length: number, out: Buffer, at: number): number {
  const end = at + length;
  table.fill(0);
  let next = 0;
  let written = at;
  if (length > MARGIN_BYTES) {
    const limit = length - MARGIN_BYTES;
    let skipped = 0;
    let p = 1;
    let word = source.getInt32(p, true);
    while (p < limit) {
      const slot = Math.imul(word, 0x1e35_a7bd) >>> (32 - HASH_BITS);
      const candidate = table[slot];
      table[slot] = p;
      if (source.getInt32(candidate, true) !== word) {
        p += 1 + (skipped++ >> SKIP_SHIFT);
        if (p < limit) word = source.getInt32(p, true);
        continue;
      }
      let matched = p + 4;
      const back = p - candidate;
      let differing = 0;
      while (matched < limit) {
        differing = source.getInt32(matched, true) ^ source.getInt32(matched - back, true);
        if (differing !== 0) break;
        matched += 4;
      }
      // How many of the last four bytes are the same, without a loop whose end no processor can foresee.
      if (differing !== 0) matched += (31 - Math.clz32(differing & -differing)) >> 3;
      else while (matched < length && source.getUint8(matched) === source.getUint8(matched - back)) matched++;
      if (written + (p - next) + 3 + 3 * Math.ceil((matched - p) / COPY_MAX_BYTES) > end)
        return storeBlock(source, length, out, at);
      written = writeLiteral(source, next, p, out, written);
      written = writeCopy(back, matched - p, out, written);
      next = matched;
      skipped = 0;
      p = matched;
      if (p >= limit) break;
      word = source.getInt32(p - 1, true);
      table[Math.imul(word, 0x1e35_a7bd) >>> (32 - HASH_BITS)] = p - 1;
      word = source.getInt32(p, true);
    }
  }
  if (written + (length - next) > end) return storeBlock(source, length, out, at);
  return writeLiteral(source, next, length, out, written);
}

function storeBlock(source: DataView, length: number, out: Buffer, at: number): number {
  return writeLiteral(source, 0, length, out, at);
}

function writeLiteral(source: DataView, from: number, to: number, out: Buffer, at: number): number {
  const length = to - from;
  if (length === 0) return at;
  const last = length - 1;
  if (last < 60) out[at++] = last << 2;
  else if (last < 256) {
    out[at++] = 60 << 2;
    out[at++] = last;
  } else {
    out[at++] = 61 << 2;
    out[at++] = last & 0xff;
    out[at++] = last >> 8;
  }
  for (let p = from; p < to; p++) out[at++] = source.getUint8(p);
  return at;
}

function writeCopy(back: number, length: number, out: Buffer, at: number): number {
  let rest = length;
  while (rest > 0) {
    // At least four bytes are left for the last copy, the least that the short form can say.
    const part = rest >= COPY_MAX_BYTES + 4 ? COPY_MAX_BYTES : rest > COPY_MAX_BYTES ? COPY_MAX_BYTES - 4 : rest;
    if (part >= 4 && part < 12 && back < 2_048) {
      out[at++] = ((back >> 8) << 5) | ((part - 4) << 2) | 1;
      out[at++] = back & 0xff;
    } else {
      out[at++] = ((part - 1) << 2) | 2;
      out[at++] = back & 0xff;
      out[at++] = back >> 8;
    }
    rest -= part;
  }
  return at;
}

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { EVENT_ID_BYTES, EventHasher, EventIdSeed, writeEventId, writeSalt } from "../../../src/batches/event-id.ts";

const KEY = "0123456789abcdef0123456789abcdef";

/** The id of an event, with its bytes at an index ≡ offset (mod 4) and other bytes around them. */
function idOf(
  text: Buffer,
  offset: number,
  options: { key?: string; place?: number; noise?: number; length?: number } = {},
) {
  const buffer = Buffer.alloc(text.length + 64, options.noise ?? 0);
  const start = (options.place ?? 4) * 4 + (offset % 4);
  text.copy(buffer, start);
  const words = new Int32Array(buffer.buffer, buffer.byteOffset, buffer.length >> 2);
  const seed = new EventIdSeed(options.key ?? KEY);
  const hasher = new EventHasher();
  hasher.hash(words, start, start + text.length, seed, offset, options.length ?? text.length);
  const out = Buffer.alloc(40);
  return out.toString("latin1", 0, writeEventId(out, 0, seed, offset, hasher.high, hasher.low));
}

const bytes = fc.uint8Array({ maxLength: 80 }).map((array) => Buffer.from(array));
const offsets = fc.maxSafeNat().map((n) => n % 2 ** 42);

test("it is 22 characters of base64url", () => {
  fc.assert(
    fc.property(bytes, offsets, (text, offset) => {
      expect(idOf(text, offset)).toMatch(/^[\w-]{22}$/);
      expect(idOf(text, offset)).toHaveLength(EVENT_ID_BYTES);
    }),
  );
});

test("it depends on nothing but file, place and bytes (invariant 5)", () => {
  fc.assert(
    fc.property(bytes, offsets, fc.nat(8), fc.nat(255), (text, offset, place, noise) => {
      expect(idOf(text, offset, { place, noise })).toBe(idOf(text, offset));
    }),
  );
});

test("another offset is another id, whatever the bytes (invariant 6)", () => {
  fc.assert(
    fc.property(bytes, bytes, offsets, offsets, (a, b, first, second) => {
      fc.pre(first !== second);
      expect(idOf(a, first)).not.toBe(idOf(b, second));
    }),
  );
});

test("other bytes, another length or another file are another id", () => {
  fc.assert(
    fc.property(bytes, bytes, offsets, (a, b, offset) => {
      if (!a.equals(b)) expect(idOf(a, offset)).not.toBe(idOf(b, offset));
      expect(idOf(a, offset, { length: a.length + 1 })).not.toBe(idOf(a, offset));
      expect(idOf(a, offset, { key: "f".repeat(32) })).not.toBe(idOf(a, offset));
    }),
  );
});

test("one changed bit anywhere changes the hash part", () => {
  const text = Buffer.from("The quick brown fox jumps over the lazy dog, twice.");
  const seen = new Set<string>();
  for (let bit = 0; bit < text.length * 8; bit++) {
    const changed = Buffer.from(text);
    changed[bit >> 3] ^= 1 << (bit & 7);
    seen.add(idOf(changed, 1234).slice(13));
  }
  expect(seen.size).toBe(text.length * 8);
});

test("200,000 similar lines at one offset share no id", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 200_000; i++) seen.add(idOf(Buffer.from(`{"seq":${i},"msg":"order placed"}`), 7));
  expect(seen.size).toBe(200_000);
});

test("a salt is appended behind a tilde", () => {
  const out = Buffer.alloc(40);
  expect(out.toString("latin1", 0, writeSalt(out, 0, 3))).toBe("~3");
  expect(writeSalt(out, 5, 0)).toBe(5);
});

const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KIB: 1024,
  MIB: 1024 ** 2,
  GIB: 1024 ** 3,
};
const TIME_UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 };

/** Bytes of `"32MiB"`, `"1.5GB"`, `"100B"`; undefined when the text is no size. */
export function parseSizeBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([KMG]i?B|B)$/i.exec(text.trim());
  if (match === null) return undefined;
  const bytes = Math.round(Number(match[1]) * SIZE_UNITS[match[2].toUpperCase()]);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Milliseconds of `"500ms"`, `"8s"`, `"1.5h"`; undefined when the text is no duration. */
export function parseDurationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(text.trim());
  if (match === null) return undefined;
  const ms = Math.round(Number(match[1]) * TIME_UNITS_MS[match[2]]);
  return Number.isSafeInteger(ms) ? ms : undefined;
}

/** `33554432` → `"32MiB"`: the largest binary unit that keeps at most two decimals exact enough to read. */
export function formatSize(bytes: number): string {
  for (const [unit, factor] of [
    ["GiB", 1024 ** 3],
    ["MiB", 1024 ** 2],
    ["KiB", 1024],
  ] as const) {
    if (bytes >= factor) return `${Number((bytes / factor).toFixed(2))}${unit}`;
  }
  return `${bytes}B`;
}

/** `8000` → `"8s"`. */
export function formatDuration(ms: number): string {
  for (const [unit, factor] of [
    ["h", 3.6e6],
    ["m", 6e4],
    ["s", 1e3],
  ] as const) {
    if (ms >= factor && ms % factor === 0) return `${ms / factor}${unit}`;
  }
  return `${ms}ms`;
}

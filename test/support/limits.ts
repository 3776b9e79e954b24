/** Other limits for the built pannier, so that a test does not have to wait for minutes: the code is the shipped one. */
import { readFileSync } from "node:fs";

/** Where constants of limits stand in the built pannier. */
const FILES = ["limits.js", "delivery-limits.js"].map((name) => new URL(`../../dist/core/${name}`, import.meta.url));

/**
 * V8 and Node flags that change constants of `core/limits.ts` and `core/delivery-limits.ts` as they are loaded:
 * `{ ANSWER_MAX_MS: 1_500 }`.
 */
export function withLimits(limits: Readonly<Record<string, number>>): readonly string[] {
  const sources: Record<string, string> = {};
  for (const [name, value] of Object.entries(limits)) {
    const place = new RegExp(`(export const ${name} = )[^;]+;`);
    const file = FILES.map(({ href }) => href).find((href) => place.test((sources[href] ??= sourceOf(href))));
    if (file === undefined) throw new Error(`there is no limit ${name}`);
    sources[file] = sources[file].replace(place, `$1${value};`);
  }
  const hook = `
    import { registerHooks } from "node:module";
    const sources = ${JSON.stringify(sources)};
    registerHooks({
      load(url, context, next) {
        const loaded = next(url, context);
        return url in sources ? { ...loaded, source: sources[url] } : loaded;
      },
    });`;
  return ["--import", `data:text/javascript,${encodeURIComponent(hook)}`];
}

function sourceOf(href: string): string {
  return readFileSync(new URL(href), "utf8");
}

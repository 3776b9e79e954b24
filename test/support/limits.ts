/** Other limits for the built pannier, so that a test does not have to wait for minutes: the code is the shipped one. */

/** V8 and Node flags that change constants of `core/limits.ts` as they are loaded: `{ ANSWER_MAX_MS: 1_500 }`. */
export function withLimits(limits: Readonly<Record<string, number>>): readonly string[] {
  const hook = `
    import { registerHooks } from "node:module";
    const limits = ${JSON.stringify(limits)};
    registerHooks({
      load(url, context, next) {
        const loaded = next(url, context);
        if (!url.endsWith("/dist/core/limits.js")) return loaded;
        let source = String(loaded.source);
        for (const [name, value] of Object.entries(limits)) {
          const changed = source.replace(new RegExp("(export const " + name + " = )[^;]+;"), "$1" + value + ";");
          if (changed === source) throw new Error("there is no limit " + name);
          source = changed;
        }
        return { ...loaded, source };
      },
    });`;
  return ["--import", `data:text/javascript,${encodeURIComponent(hook)}`];
}

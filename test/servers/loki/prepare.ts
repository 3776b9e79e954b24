import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { cached } from "../cache.ts";
import { run } from "../command.ts";

const MODULE = "github.com/grafana/loki/v3";
/** The `pkg/push` that Loki 3.5.3 asks for; newer ones pull in a newer gRPC, which it does not compile with. */
const PUSH = "github.com/grafana/loki/pkg/push v0.0.0-20240924133635-758364c7775f";

/** The program of a Loki of that version, built through the Go module proxy on first use (two minutes), then taken from the cache. */
export async function prepareLoki(version: string): Promise<string> {
  const source = await readFile(path.join(import.meta.dirname, "prepare.ts"));
  const stamp = createHash("sha256").update(source).digest("hex").slice(0, 12);
  const home = await cached(`loki-${version}-${stamp}`, (directory) => build(version, path.join(directory, "loki")));
  return path.join(home, "loki");
}

/**
 * Loki's go.mod replaces some modules, and `replace` counts only in the main module, so a small module of our own repeats its
 * lines; its go.sum is taken along, since not every sum in it can be looked up.
 */
async function build(version: string, program: string): Promise<void> {
  const work = await mkdtemp(path.join(os.tmpdir(), "pannier-loki-build-"));
  try {
    const { Dir } = JSON.parse(await run("go", ["mod", "download", "-json", `${MODULE}@v${version}`])) as {
      readonly Dir: string;
    };
    const theirs = await readFile(path.join(Dir, "go.mod"), "utf8");
    const lines = [
      "module lokibuild",
      ...(theirs.match(/^(?:go|toolchain) .*$/gm) ?? []),
      `tool ${MODULE}/cmd/loki`,
      `require ${MODULE} v${version}`,
      theirs.slice(theirs.search(/^replace/m)).replace("=> ./pkg/push", `=> ${PUSH}`),
    ];
    await writeFile(path.join(work, "go.mod"), lines.join("\n"));
    await writeFile(path.join(work, "go.sum"), await readFile(path.join(Dir, "go.sum")));
    const env = { ...process.env, GOFLAGS: "-mod=mod" };
    await run("go", ["build", "-o", program, `${MODULE}/cmd/loki`], { cwd: work, env });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

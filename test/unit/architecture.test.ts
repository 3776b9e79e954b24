import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";

const root = path.resolve(import.meta.dirname, "../..");

/** The way of a byte, in order (docs/architecture.md). A stage knows `core/` and itself, never a neighbour. */
const STAGES = ["files", "lines", "records", "batches", "sinks", "state"];
/** Folders beside the flow: they know `core/` and each other, never a stage. */
const BESIDE = ["config", "telemetry", "admin"];
/** What puts the stages together, beside `src/agent.ts`. */
const WIRING = ["pipeline", "cli", "demo"];
const MAX_LINES = 250;

interface SourceText {
  /** Path below the repository, with `/`. */
  readonly path: string;
  readonly text: string;
}

function read(file: string): string {
  return readFileSync(path.join(root, file), "utf8");
}

/** Every TypeScript file below a folder of the repository. */
function sources(folder: string): SourceText[] {
  const top = path.join(root, folder);
  if (!existsSync(top)) return [];
  return readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[cm]?tsx?$/.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((file) => ({ path: path.relative(root, file), text: readFileSync(file, "utf8") }))
    .toSorted((a, b) => a.path.localeCompare(b.path));
}

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** Static imports, re-exports and dynamic imports with a fixed specifier. */
function imports(text: string): Import[] {
  const found: Import[] = [];
  const pattern =
    /^\s*(?:import|export)\s+(type\s)?[^;"']*?from\s*"([^"]+)"|^\s*import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/gm;
  for (const [, type, from, bare, dynamic] of text.matchAll(pattern)) {
    found.push({ specifier: from ?? bare ?? dynamic ?? "", typeOnly: type !== undefined });
  }
  return found;
}

/** Where a relative import leads, below the repository; undefined for packages and `node:`. */
function target(from: string, specifier: string): string | undefined {
  return specifier.startsWith(".") ? path.join(path.dirname(from), specifier) : undefined;
}

/** Folder of `src/` that a file belongs to; "" for `src/agent.ts` and its like. */
function folderOf(file: string): string {
  const parts = file.split(path.sep);
  return parts[0] === "src" && parts.length > 2 ? (parts[1] ?? "") : "";
}

/** Every import that the rule forbids, as text. */
function violations(files: readonly SourceText[]): string[] {
  return files.flatMap((file) => {
    const own = folderOf(file.path);
    return imports(file.text).flatMap(({ specifier }) => {
      const to = target(file.path, specifier);
      if (to === undefined)
        return own === "core" && !specifier.startsWith("node:") ? [`${file.path}: ${specifier}`] : [];
      if (own !== "core" && !STAGES.includes(own) && !BESIDE.includes(own)) return [];
      const allowed = [own, "core", ...(BESIDE.includes(own) ? BESIDE : [])];
      return !to.startsWith("src") || !allowed.includes(folderOf(to)) ? [`${file.path}: ${specifier}`] : [];
    });
  });
}

/** The first circle of imports that exist at run time, as a path; undefined when there is none. */
function cycle(files: readonly SourceText[]): string | undefined {
  const edges = new Map(
    files.map((file) => [
      file.path,
      imports(file.text).flatMap((used) => (used.typeOnly ? [] : (target(file.path, used.specifier) ?? []))),
    ]),
  );
  const finished = new Set<string>();
  const visit = (file: string, trail: readonly string[]): string | undefined => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file].join(" -> ");
    if (finished.has(file)) return undefined;
    for (const next of edges.get(file) ?? []) {
      const found = visit(next, [...trail, file]);
      if (found !== undefined) return found;
    }
    finished.add(file);
    return undefined;
  };
  for (const file of files) {
    const found = visit(file.path, []);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Source text without comments and strings, so that only code is judged. */
function code(text: string): string {
  return text.replaceAll(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g,
    '""',
  );
}

describe("architecture", () => {
  const src = sources("src");
  const all = [...src, ...sources("test"), ...sources("bench"), ...sources("scripts")];

  test("a stage imports core/ and its own folder; core/ imports only itself and node:", () => {
    expect(violations(src)).toEqual([]);
  });

  test("the rule catches a stage that imports its neighbour, and core that imports a package", () => {
    const bad = [
      { path: "src/lines/a.ts", text: 'import { sweep } from "../files/sweep.ts";' },
      {
        path: "src/sinks/b/c.ts",
        text: 'export type { D } from "../../core/d.ts";\nconst e = await import("../../agent.ts");',
      },
      { path: "src/core/f.ts", text: 'import fs from "node:fs";\nimport {\n  pino,\n} from "pino";' },
    ];
    expect(violations(bad)).toEqual([
      "src/lines/a.ts: ../files/sweep.ts",
      "src/sinks/b/c.ts: ../../agent.ts",
      "src/core/f.ts: pino",
    ]);
  });

  test("every folder of src/ has its place in the map", () => {
    const known = ["core", ...STAGES, ...BESIDE, ...WIRING];
    expect(
      [...new Set(src.map((file) => folderOf(file.path)))].filter((name) => name !== "" && !known.includes(name)),
    ).toEqual([]);
  });

  test("modules do not import each other in a circle", () => {
    expect(cycle(src)).toBeUndefined();
    expect(
      cycle([
        { path: "src/a.ts", text: 'import "./b.ts";' },
        { path: "src/b.ts", text: 'import { a } from "./a.ts";' },
      ]),
    ).toBe("src/a.ts -> src/b.ts -> src/a.ts");
  });

  test(`no file of src/ is longer than ${MAX_LINES} lines`, () => {
    expect(src.filter((file) => file.text.split("\n").length - 1 > MAX_LINES).map((file) => file.path)).toEqual([]);
  });

  test("only cli/ and demo/ write to the console or end the process", () => {
    const quiet = src.filter((file) => !["cli", "demo"].includes(folderOf(file.path)));
    expect(
      quiet.filter((file) => /\bconsole\.|\bprocess\.exit\(/.test(code(file.text))).map((file) => file.path),
    ).toEqual([]);
  });

  test("nothing is left for later and no rule is switched off", () => {
    const words = new RegExp(
      ["TO", "DO\\b|FIX", "ME\\b|XX", "X\\b|@ts-", "(?:ignore|nocheck|expect-error)|(?:ox|es)lint-", "disable"].join(
        "",
      ),
    );
    expect(all.filter((file) => words.test(file.text)).map((file) => file.path)).toEqual([]);
  });

  test("every invariant of docs/architecture.md is named by a test", () => {
    const listed = [...read("docs/architecture.md").matchAll(/^(\d+)\. \*\*/gm)].map(([, number]) => Number(number));
    expect(listed).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const tests = sources("test").filter((file) => file.path.endsWith(".test.ts"));
    const mentions = tests.flatMap((file) => file.text.match(/\binvariants? \d+(?:(?:, | and )\d+)*/g) ?? []);
    const named = new Set(mentions.flatMap((mention) => (mention.match(/\d+/g) ?? []).map(Number)));
    expect(listed.filter((number) => !named.has(number))).toEqual([]);
  });

  test("every file that the documents name exists", () => {
    const documents = [
      "README.md",
      "CONTRIBUTING.md",
      "docs/architecture.md",
      "docs/guarantees.md",
      "docs/writing-a-sink.md",
    ].filter((file) => existsSync(path.join(root, file)));
    const missing = documents.flatMap((document) =>
      [...read(document).matchAll(/`((?:src|test|docs|bench|deploy|examples|scripts)\/[\w./-]*)`/g)]
        .map(([, named = ""]) => named)
        .filter((named) => !existsSync(path.join(root, named)))
        .map((named) => `${document}: ${named}`),
    );
    expect(missing).toEqual([]);
  });

  test("no sink imports another sink's folder", () => {
    const foreign = src.flatMap((file) => {
      const [, own] = /^src\/sinks\/(\w+)\//.exec(file.path) ?? [];
      if (own === undefined || own === "http") return [];
      const folders = imports(file.text).map(({ specifier }) => /^\.\.\/(\w+)\//.exec(specifier)?.[1] ?? own);
      return folders.some((folder) => ![own, "http"].includes(folder)) ? [file.path] : [];
    });
    expect(foreign).toEqual([]);
  });

  test("every sink with a server of its own is held to the conformance suite", () => {
    const folders = new Set(src.flatMap(({ path: file }) => /^src\/sinks\/(\w+)\/sink\.ts$/.exec(file)?.[1] ?? []));
    folders.delete("stdout");
    expect([...folders]).toEqual(expect.arrayContaining(["elasticsearch", "loki", "splunk"]));
    const suite = (name: string): string => `test/integration/conformance-${name}.test.ts`;
    expect([...folders].filter((name) => !all.some((file) => file.path === suite(name)))).toEqual([]);
  });

  test("no child process is started by the agent", () => {
    const agent = src.filter((file) => !["demo", "cli"].includes(folderOf(file.path)));
    const starters = ["node:child_process", "node:cluster", "node:worker_threads"];
    expect(
      agent
        .filter((file) => imports(file.text).some((used) => starters.includes(used.specifier)))
        .map((file) => file.path),
    ).toEqual([]);
  });
});

import { createHash } from "node:crypto";
import { existsSync, readFileSync, realpathSync, symlinkSync } from "node:fs";
import path from "node:path";
import { run } from "../command.ts";
import { imported, RootFs } from "./rootfs.ts";

const UID = 1000;
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";

export interface NodeImages {
  /** Node, npm and a shell. */
  readonly build: string;
  /** Node alone. */
  readonly runtime: string;
}

/** Bases for the Dockerfile on a machine that can pull none: the Node that runs this, and the host's npm. */
export async function buildNodeImages(): Promise<NodeImages> {
  const stamp = createHash("sha256")
    .update(readFileSync(import.meta.filename))
    .update(process.version)
    .digest("hex")
    .slice(0, 12);
  const environment = [
    "ENV PATH=/usr/local/bin:/usr/bin:/bin",
    "ENV LANG=C.UTF-8",
    `ENV NODE_EXTRA_CA_CERTS=${CERTIFICATES}`,
  ];
  const runtime = await imported(`pannier-test/node:${stamp}`, nodeFiles, [...environment, 'CMD ["node"]']);
  const build = await imported(`pannier-test/node-build:${stamp}`, buildFiles, [...environment, 'CMD ["sh"]']);
  return { build, runtime };
}

async function nodeFiles(): Promise<RootFs> {
  const root = await RootFs.create("node", UID);
  root.copy(process.execPath, "/usr/local/bin/node");
  await run("strip", [root.inside("/usr/local/bin/node")]).catch(() => "not stripped, only larger");
  await root.copyLibraries(process.execPath);
  return root;
}

async function buildFiles(): Promise<RootFs> {
  const root = await nodeFiles();
  await root.addShell();
  root.copy(await findNpm(), "/usr/local/lib/node_modules/npm");
  symlinkSync("../lib/node_modules/npm/bin/npm-cli.js", root.inside("/usr/local/bin/npm"));
  return root;
}

/** Where npm is installed. It takes the place of the Node that it runs on for its own, and that can be a package of this project. */
async function findNpm(): Promise<string> {
  const global = path.join((await run("npm", ["root", "-g"])).trim(), "npm");
  if (existsSync(global)) return realpathSync(global);
  const program = (await run("sh", ["-c", "command -v npm"])).trim();
  return path.dirname(path.dirname(realpathSync(program)));
}

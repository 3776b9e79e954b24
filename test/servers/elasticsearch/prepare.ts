import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { cached } from "../cache.ts";
import { run } from "../command.ts";
import { findJdk } from "../jdk.ts";

/** How `getRestHandlers` begins, by major version. */
const HANDLER_PARAMETERS: Readonly<Record<number, string>> = {
  8:
    "org.elasticsearch.common.settings.Settings a, org.elasticsearch.common.io.stream.NamedWriteableRegistry b, " +
    "RestController c, org.elasticsearch.common.settings.ClusterSettings d, " +
    "org.elasticsearch.common.settings.IndexScopedSettings e, org.elasticsearch.common.settings.SettingsFilter f, " +
    "org.elasticsearch.cluster.metadata.IndexNameExpressionResolver g",
  9: "RestHandlersServices services",
};

const NETTY = "modules/transport-netty4";
const ROOT = "modules/rest-root";

/**
 * The home of an Elasticsearch of that version, `lib/` and `modules/` made from the jars on Maven Central; made on first
 * use (a minute), then taken from the cache.
 */
export async function prepareElasticsearch(version: string): Promise<string> {
  const sources = ["prepare.ts", "Launcher.java", "RestRoot.java.template"].map((name) => source(name));
  const stamp = createHash("sha256").update(sources.join("\0")).digest("hex").slice(0, 12);
  return cached(`elasticsearch-${version}-${stamp}`, async (home) => {
    for (const directory of ["lib", NETTY, ROOT, "config"])
      await mkdir(path.join(home, directory), { recursive: true });
    await fetchJars(home, version);
    await addNetty(home, version);
    await addLauncher(home);
    await addRestRoot(home, version);
  });
}

function source(name: string): string {
  return readFileSync(path.join(import.meta.dirname, name), "utf8");
}

async function fetchJars(home: string, version: string): Promise<void> {
  const dependencies = [
    ["org.elasticsearch", "elasticsearch"],
    ["org.elasticsearch.plugin", "transport-netty4"],
  ].map(
    ([group, name]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`,
  );
  const project =
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>' +
    `<groupId>local</groupId><artifactId>server</artifactId><version>1</version><dependencies>${dependencies.join("")}</dependencies></project>\n`;
  await writeFile(path.join(home, "pom.xml"), project);
  const goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=lib"];
  await run("mvn", ["-q", "-B", "-Dstyle.color=never", ...goal], { cwd: home });
}

/** A module is a folder of jars with a descriptor; its jars must not be on the class path as well. */
async function addNetty(home: string, version: string): Promise<void> {
  for (const jar of await readdir(path.join(home, "lib"))) {
    if (jar.includes("netty")) await rename(path.join(home, "lib", jar), path.join(home, NETTY, jar));
  }
  await describeModule(home, NETTY, version, "org.elasticsearch.transport.netty4.Netty4Plugin");
}

async function addLauncher(home: string): Promise<void> {
  await compile(home, path.join(import.meta.dirname, "Launcher.java"), "lib/launcher.jar", ["--release", "17"]);
}

async function addRestRoot(home: string, version: string): Promise<void> {
  const parameters = HANDLER_PARAMETERS[Number(version.split(".")[0])];
  if (parameters === undefined) throw new Error(`Elasticsearch ${version} is not known to the tests`);
  const file = path.join(home, "RestRoot.java");
  await writeFile(file, source("RestRoot.java.template").replace("@PARAMETERS@,", `${parameters},`));
  await compile(home, file, `${ROOT}/rest-root.jar`, ["-proc:none", "-nowarn", "--release", "17", "-cp", "lib/*"]);
  await describeModule(home, ROOT, version, "restroot.RestRoot");
}

async function compile(home: string, file: string, jar: string, options: readonly string[]): Promise<void> {
  const bin = path.join(findJdk(), "bin");
  await run(path.join(bin, "javac"), [...options, "-d", "classes", file], { cwd: home });
  await run(path.join(bin, "jar"), ["cf", jar, "-C", "classes", "."], { cwd: home });
  await rm(path.join(home, "classes"), { recursive: true });
}

async function describeModule(home: string, module: string, version: string, classname: string): Promise<void> {
  const name = path.basename(module);
  const java = version.startsWith("8.") ? "17" : "21";
  const lines = { name, description: name, version, "elasticsearch.version": version, "java.version": java, classname };
  const fixed = "extended.plugins=\nhas.native.controller=false\n";
  const text = Object.entries(lines).map(([key, value]) => `${key}=${value}\n`);
  await writeFile(path.join(home, module, "plugin-descriptor.properties"), text.join("") + fixed);
}

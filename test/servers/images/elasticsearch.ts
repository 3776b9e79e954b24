import { readdirSync, rmSync } from "node:fs";
import { chown } from "node:fs/promises";
import path from "node:path";
import { cached } from "../cache.ts";
import { run } from "../command.ts";
import { prepareElasticsearch } from "../elasticsearch/prepare.ts";
import type { ElasticsearchVersion } from "../elasticsearch/start.ts";
import { findJdk } from "../jdk.ts";
import { imported, RootFs } from "./rootfs.ts";

const HOME = "/usr/share/elasticsearch";
const UID = 1000;
const MODULES =
  "java.base,java.compiler,java.desktop,java.instrument,java.logging,java.management,java.naming,java.net.http,java.security.jgss," +
  "java.sql,java.xml,jdk.jfr,jdk.management,jdk.net,jdk.unsupported,jdk.zipfs";
/** Parts of the Java runtime that would need the libraries of a desktop. */
const DESKTOP_LIBRARIES = ["libawt_xawt.so", "libsplashscreen.so", "libjsound.so", "libjawt.so"];

/**
 * An image that behaves like the official one as far as the tests go: port 9200, user 1000, settings as dotted
 * environment variables. It has no security, and takes options for Java as JDK_JAVA_OPTIONS.
 */
export async function buildElasticsearchImage(version: ElasticsearchVersion = "9.5.3"): Promise<string> {
  const home = await prepareElasticsearch(version);
  const stamp = path.basename(home).split("-").at(-1);
  const settings = [
    "cluster.name=docker-cluster",
    "node.name=node",
    "discovery.type=single-node",
    "http.port=9200",
    "http.host=0.0.0.0",
    "transport.host=127.0.0.1",
    "transport.port=0",
    "cluster.routing.allocation.disk.threshold_enabled=false",
    "cluster.info.update.interval=1h",
  ];
  const entrypoint = ["/opt/jre/bin/java", `@${HOME}/jvm.args`, "Launcher", HOME, ...settings];
  return imported(`pannier-test/elasticsearch:${version}-${stamp}`, () => fill(home), [
    `USER ${UID}:${UID}`,
    `WORKDIR ${HOME}`,
    "EXPOSE 9200",
    "ENV PATH=/opt/jre/bin:/usr/bin:/bin",
    "ENV SETTINGS_FROM_ENV=1",
    "ENV LANG=C.UTF-8",
    `ENTRYPOINT ${JSON.stringify(entrypoint)}`,
  ]);
}

async function fill(home: string): Promise<RootFs> {
  const root = await RootFs.create("elasticsearch", UID);
  await root.addShell();
  const runtime = await javaRuntime();
  root.copy(runtime, "opt/jre");
  for (const library of DESKTOP_LIBRARIES) rmSync(root.inside(`opt/jre/lib/${library}`), { force: true });
  const libraries = readdirSync(root.inside("opt/jre/lib")).filter((name) => name.endsWith(".so"));
  const loaded = ["bin/java", "lib/server/libjvm.so", ...libraries.map((name) => `lib/${name}`)];
  await root.copyLibraries(...loaded.map((file) => root.inside(`opt/jre/${file}`)));
  for (const part of ["lib", "modules"]) root.copy(path.join(home, part), path.join(HOME, part));
  for (const writable of ["config", "data", "logs"]) {
    root.makeDirectory(path.join(HOME, writable));
    await chown(root.inside(path.join(HOME, writable)), UID, UID);
  }
  const options = "-Xms512m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.awt.headless=true";
  root.write(`${HOME}/jvm.args`, `${options} --enable-native-access=ALL-UNNAMED\n-cp "${HOME}/lib/*"\n`);
  return root;
}

/** A Java runtime of the modules that the server uses, a third of the JDK's size. */
async function javaRuntime(): Promise<string> {
  const jdk = findJdk();
  return cached(`jre-${path.basename(jdk)}`, async (directory) => {
    rmSync(directory, { recursive: true }); // jlink wants to make it.
    const small = ["--strip-debug", "--no-header-files", "--no-man-pages", "--generate-cds-archive"];
    await run(path.join(jdk, "bin/jlink"), ["--add-modules", MODULES, ...small, "--output", directory]);
  });
}

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { run } from "../servers/command.ts";
import { buildPannierImage, removeImage } from "../servers/images/pannier.ts";
import { requireServer } from "../servers/require.ts";

const LOGS = "/logs";
const ISOLATED = ["--read-only", "--network", "none"];

let building: Promise<string> | undefined;
let tag = "";

/** What a container printed so far, on both streams. */
function logs(id: string): Promise<string> {
  return run("sh", ["-c", 'docker logs "$1" 2>&1', "sh", id]);
}

async function inspect(id: string, format: string): Promise<string> {
  return (await run("docker", ["inspect", "--format", format, id])).trim();
}

beforeEach(async (context) => {
  building ??= buildPannierImage();
  tag = await requireServer(context, () => building!);
});

afterAll(async () => {
  const built = await building?.catch(() => undefined);
  if (built !== undefined) await removeImage(built);
});

test("the image says what it is, runs as a numeric user and its default command is run", async () => {
  expect(await inspect(tag, "{{.Config.User}}")).toBe("65532:65532");
  expect(await inspect(tag, "{{json .Config.Cmd}}")).toBe('["run"]');
  expect(await inspect(tag, "{{json .Config.Entrypoint}}")).toContain('"--max-semi-space-size=4"');
  expect(await inspect(tag, '{{index .Config.Labels "org.opencontainers.image.licenses"}}')).toBe("Apache-2.0");
  expect(await run("docker", ["run", "--rm", ...ISOLATED, tag, "--version"])).toMatch(/\d+\.\d+\.\d+/);
});

test("check prints the effective configuration of a mounted file, with nothing writable", async () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), "pannier-image-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  chmodSync(directory, 0o755);
  const file = path.join(directory, "pannier.yaml");
  writeFileSync(file, "version: 1\ninputs: [{ paths: [/logs] }]\nsinks: [{ type: stdout }]\n", { mode: 0o644 });
  const mount = `${file}:/etc/pannier/pannier.yaml:ro`;
  const plan = await run("docker", ["run", "--rm", ...ISOLATED, "--volume", mount, tag, "check"]);
  expect(plan).toContain("/var/lib/pannier");
});

/** Starts `run` in the background, with a file system in memory for its logs. */
async function startAgent(): Promise<string> {
  const options = [...ISOLATED, "--tmpfs", `${LOGS}:uid=65532`];
  const command = ["run", LOGS, "--to", "stdout:", "--admin", "off"];
  const id = (await run("docker", ["run", "--detach", ...options, tag, ...command])).trim();
  onTestFinished(async () => {
    await run("docker", ["rm", "--force", "--volumes", id]);
  });
  return id;
}

/** Waits until the agent has printed something. */
async function printed(id: string, text: string): Promise<void> {
  await vi.waitFor(async () => expect(await logs(id)).toContain(text), { timeout: 60_000, interval: 100 });
}

/** SIGTERM, as an orchestrator sends it; resolves with the exit code. */
async function terminate(id: string): Promise<string> {
  await run("docker", ["kill", "--signal", "SIGTERM", id]);
  await vi.waitFor(async () => expect(await inspect(id, "{{.State.Running}}")).toBe("false"), {
    timeout: 60_000,
    interval: 100,
  });
  return inspect(id, "{{.State.ExitCode}}");
}

test("pannier is process 1, writes its state with a read-only root, and SIGTERM ends it with 0", async () => {
  const id = await startAgent();
  await printed(id, '"code":"started"');
  const processes = (await run("docker", ["top", id, "-o", "pid,args"])).trim().split("\n").slice(1);
  expect(processes).toHaveLength(1);
  expect(processes[0]).toContain("/app/dist/cli/main.js run");
  expect(processes[0]?.trim().split(/\s+/)[0]).toBe(await inspect(id, "{{.State.Pid}}"));
  expect(await terminate(id), await logs(id)).toBe("0");
  expect((await logs(id)).trim().split("\n").at(-1)).toContain('"code":"drain"');
});

test("SIGTERM ends it also while it starts, though the kernel drops a signal that process 1 does not handle", async () => {
  const id = await startAgent();
  await printed(id, "{");
  expect(await terminate(id), await logs(id)).toBe("0");
});

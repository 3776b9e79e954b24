import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { startAgent } from "../support/agent.ts";

const root = path.resolve(import.meta.dirname, "../..");
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

interface Mounted {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}

interface Container {
  readonly name: string;
  readonly restartPolicy?: string;
  readonly env: readonly { name: string }[];
  readonly lifecycle: { preStop: { httpGet: { path: string; port: number } } };
  readonly livenessProbe: { httpGet: { path: string; port: number } };
  readonly readinessProbe: { httpGet: { path: string; port: number } };
  readonly volumeMounts: readonly Mounted[];
}

interface Pod {
  readonly spec: {
    readonly terminationGracePeriodSeconds: number;
    readonly initContainers: readonly Container[];
    readonly containers: readonly Container[];
    readonly volumes: readonly { name: string }[];
  };
}

const [configMap, pod] = parseAllDocuments(read("deploy/kubernetes/order-service.yaml")).map(
  (d) => d.toJS() as unknown,
) as [{ data: Record<string, string> }, Pod];
const text = configMap.data["pannier.yaml"];
const sidecar = pod.spec.initContainers[0];

describe("the Pod of the sidecar pattern", () => {
  test("its configuration passes check, with the variables and files that the Pod provides", async () => {
    const directory = mkdtempSync(path.join(os.tmpdir(), "pannier-deploy-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const [config, secret] = [path.join(directory, "pannier.yaml"), path.join(directory, "secret")];
    writeFileSync(config, text.replaceAll(/\/etc\/pannier-secret\/[\w.-]+/g, secret));
    writeFileSync(secret, "c2VjcmV0");
    const names = sidecar.env.map(({ name }) => name);
    const provided = Object.fromEntries(names.map((name) => [name, `the-${name.toLowerCase()}`]));
    const check = startAgent(["check", "--config", config], { noAdmin: true, env: provided });
    expect((await check.exited).code, JSON.stringify(check.logs)).toBe(0);
    expect(check.stdout()).toContain("the-pod_name");
    expect(check.stdout()).not.toContain("c2VjcmV0");
    const without = startAgent(["check", "--config", config], { noAdmin: true });
    expect((await without.exited).code, "a missing variable is an error").toBe(78);
  });

  test("is a native sidecar whose hooks and probes reach the health listener, with the Pod's own grace", () => {
    const { health } = parse(text) as { health: { listen: string } };
    const port = Number(health.listen.split(":")[1]);
    expect(health.listen).toMatch(/^0\.0\.0\.0:/);
    expect(sidecar.restartPolicy).toBe("Always");
    expect(sidecar.lifecycle.preStop.httpGet).toEqual({
      port,
      path: `/-/drain-soon?grace=${pod.spec.terminationGracePeriodSeconds}s`,
    });
    expect(sidecar.livenessProbe.httpGet).toEqual({ port, path: "/livez" });
    expect(sidecar.readinessProbe.httpGet).toEqual({ port, path: "/readyz" });
  });

  test("shares the logs with the application, and writes its state to a volume", () => {
    const { state_dir: stateDir, inputs } = parse(text) as { state_dir: string; inputs: { paths: string[] }[] };
    const volumes = pod.spec.volumes.map(({ name }) => name);
    const mounts = [...sidecar.volumeMounts, ...pod.spec.containers[0].volumeMounts];
    expect(mounts.every(({ name }) => volumes.includes(name))).toBe(true);
    const logs = sidecar.volumeMounts.find(({ name }) => name === "logs");
    expect(inputs[0].paths[0].startsWith(`${logs?.mountPath}/`)).toBe(true);
    expect(pod.spec.containers[0].volumeMounts.map(({ name }) => name)).toContain("logs");
    expect(sidecar.volumeMounts.find(({ mountPath }) => mountPath === stateDir)?.readOnly).toBeUndefined();
  });
});

test("image, unit and package start pannier with the same flags of V8", () => {
  const flags = "--min-semi-space-size=4 --max-semi-space-size=4";
  const listed = flags.split(" ").map((flag) => `"${flag}"`);
  const { scripts, version } = JSON.parse(read("package.json")) as { scripts: Record<string, string>; version: string };
  expect(read("Dockerfile")).toContain(`ENTRYPOINT ["node", ${listed.join(", ")}, "/app/dist/cli/main.js"]`);
  expect(read("Dockerfile")).toContain(`ARG VERSION=${version}\n`);
  expect(read("deploy/systemd/pannier.service")).toContain(`node ${flags} /usr/lib/pannier/dist/cli/main.js run`);
  expect(scripts["start"]).toContain(`node ${flags} dist/cli/main.js run`);
  expect(scripts["demo"]).toContain(`node ${flags} dist/cli/main.js demo`);
});

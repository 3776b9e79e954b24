import { randomBytes } from "node:crypto";
import path from "node:path";
import { run } from "../command.ts";
import { buildNodeImages } from "./node.ts";

const root = path.resolve(import.meta.dirname, "../../..");

/** Builds the Dockerfile, on the bases that the environment names or on ones made of this host's files; returns its tag. */
export async function buildPannierImage(): Promise<string> {
  const tag = `pannier-test/pannier:${randomBytes(6).toString("hex")}`;
  const given = { build: process.env["PANNIER_BUILD_IMAGE"], runtime: process.env["PANNIER_RUNTIME_IMAGE"] };
  const made = given.build === undefined || given.runtime === undefined ? await buildNodeImages() : undefined;
  const bases = [`BUILD_IMAGE=${given.build ?? made?.build}`, `RUNTIME_IMAGE=${given.runtime ?? made?.runtime}`];
  const options = bases.flatMap((base) => ["--build-arg", base]);
  await run("docker", ["build", "--network", "host", ...options, "--tag", tag, root]);
  return tag;
}

/** Removes an image, and what it was made of where nothing else uses it. */
export async function removeImage(tag: string): Promise<void> {
  await run("docker", ["image", "rm", "--force", tag]);
}

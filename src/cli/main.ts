#!/usr/bin/env node
import { nodeProblem } from "./version.ts";

// What follows is loaded only once this Node is known to be able to: an old one would fail with a stack instead of a sentence.
const problem = nodeProblem(process.versions.node);
if (problem === undefined) {
  const { main } = await import("./dispatch.ts");
  await main(process.argv.slice(2), process.env);
} else {
  process.stderr.write(`pannier: ${problem}\n`);
  process.exitCode = 70;
}

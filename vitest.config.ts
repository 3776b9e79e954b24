import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** What measures the agent's speed, processor time or memory, or wears out the machine: nothing runs beside it. */
const ALONE = ["idle", "memory", "several-sinks", "untrusted-volume"].map((name) => `test/integration/${name}.test.ts`);

/** Unit tests need nothing but Node; integration tests spawn the built agent and real servers. */
export default defineConfig({
  test: {
    teardownTimeout: 60_000,
    // One second, the default, is what a machine that does other things may stand still.
    expect: { poll: { timeout: 30_000 } },
    reporters: ["default", "./scripts/count-reporter.ts"],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          // They wait as much as they compute.
          maxWorkers: 2 * availableParallelism(),
        },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          exclude: ALONE,
          globalSetup: "test/servers/setup.ts",
          testTimeout: 180_000,
          hookTimeout: 900_000,
          // The agent waits for its servers and clocks most of the time: two at a time keep one processor busy.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "integration-alone",
          include: ALONE,
          testTimeout: 180_000,
          hookTimeout: 900_000,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        // Played when nothing else runs: a story that waits for the processor proves less.
        test: {
          name: "model",
          testTimeout: 60_000,
          include: ["test/model/**/*.test.ts"],
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});

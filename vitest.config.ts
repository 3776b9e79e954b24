import { defineConfig } from "vitest/config";

/** Unit tests need nothing but Node; integration tests spawn the built agent and real servers, one file after the other. */
export default defineConfig({
  test: {
    teardownTimeout: 60_000,
    reporters: ["default", "./scripts/count-reporter.ts"],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          testTimeout: 15_000,
          hookTimeout: 15_000,
          // They wait more than they compute; the default leaves a processor free.
          maxWorkers: "100%",
        },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          globalSetup: "test/servers/setup.ts",
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 900_000,
        },
      },
      {
        extends: true,
        // Played when nothing else runs: a story that waits for the processor proves less.
        test: {
          name: "model",
          testTimeout: 60_000,
          include: ["test/model/**/*.test.ts"],
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});

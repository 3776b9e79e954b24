import { mkdirSync, readdirSync, statSync } from "node:fs";
import { array, asyncProperty, assert, constantFrom } from "fast-check";
import { expect, test } from "vitest";
import { TAIL_QUIET_ROTATED_MS } from "../../../src/core/limits.ts";
import { Follower, LogDirectory, leaveNothing } from "./follower.ts";

const ACTIONS = [
  "append",
  "append",
  "rotate",
  "rotate without a new file",
  "move away",
  "copytruncate",
  "copytruncate",
  "copy",
  "copy and delete",
  "truncate",
  "overwrite",
  "delete",
  "drop the oldest",
  "look",
  "wait",
  "restart",
  "restart unseen",
] as const;

const TICK_MS = 12;

/** The same stories each time; PANNIER_SEED plays others. Fresh ones are for test/model/, which can say more of them. */
const SEED = Number(process.env["PANNIER_SEED"] ?? 4_711);
const RUNS = Number(process.env["PANNIER_RUNS"] ?? 80);

/**
 * A model of a hundred lines would be the whole follower; this one is smaller. The application may do anything to a file
 * whose lines were read, and rename and append at any time. Then every line comes exactly once, whatever happened between.
 */
class Application {
  readonly logs = new LogDirectory();
  readonly written: string[] = [];
  readonly read: string[] = [];
  readonly places = new Map<string, string>();
  follower!: Follower;
  #moved = 0;
  /** The follower has looked since app.log was made. */
  #isSeen = true;

  async start(): Promise<void> {
    const { logs, places } = this;
    this.follower = await Follower.start({ root: logs.root, inputs: [{ paths: [logs.at("*.log")] }], places });
  }

  async look(): Promise<void> {
    await this.follower.catchUp();
    this.read.push(...this.follower.lines.splice(0));
    this.#isSeen = true;
  }

  append(): void {
    // Equal first lines and lengths, so that only inode, generation and tail can tell contents apart.
    if (!readdirSync(this.logs.path).includes("app.log")) this.#write("# header");
    this.#write(`line ${String(this.written.length).padStart(4, "0")}`);
  }

  #write(line: string): void {
    this.logs.appendToFile("app.log", line);
    this.written.push(line);
  }

  async act(action: (typeof ACTIONS)[number]): Promise<void> {
    const { logs } = this;
    const names = readdirSync(logs.path);
    const exists = names.includes("app.log");
    if (!exists || action === "rotate") this.#isSeen = false;
    if (action === "append") this.append();
    else if (action === "look") await this.look();
    else if (action === "wait") await this.#wait();
    else if (action === "restart") await this.#restart(true);
    else if (action === "restart unseen") await this.#restart(false);
    else if (action === "drop the oldest") await this.#dropOldest(names);
    else if (!exists) this.append();
    else if (action === "rotate") logs.rotateFile("app.log");
    else if (action === "rotate without a new file") logs.rotateFile("app.log", false);
    else if (action.startsWith("copy")) await this.#copy(action);
    else if (action === "move away") logs.renameFile("app.log", `moved-${this.#moved++}.log`);
    else await this.#destroy(action);
  }

  async #wait(): Promise<void> {
    await this.look();
    this.follower.letPass(TAIL_QUIET_ROTATED_MS);
    await this.look();
  }

  async #copy(action: string): Promise<void> {
    const { logs } = this;
    if (!this.#isSeen) await this.look();
    // Files of one tick of the clock have no order in which they were born.
    while (Date.now() - statSync(logs.at("app.log")).birthtimeMs < TICK_MS);
    logs.copyFile("app.log");
    // A mere copy is known by its original, so they must be seen together.
    if (action === "copy") await this.look();
    if (action === "copytruncate") logs.truncateFile("app.log");
    if (action === "copy and delete") logs.deleteFile("app.log");
  }

  async #restart(looks: boolean): Promise<void> {
    if (looks) await this.look();
    await this.follower.stop();
    await this.start();
  }

  async #dropOldest(names: readonly string[]): Promise<void> {
    const [oldest] = names
      .filter((name) => name.startsWith("app.log."))
      .toSorted()
      .toReversed();
    await this.look();
    if (oldest !== undefined) this.logs.deleteFile(oldest);
  }

  async #destroy(action: string): Promise<void> {
    await this.look();
    if (action === "delete") return this.logs.deleteFile("app.log");
    this.logs.truncateFile("app.log");
    if (action === "overwrite")
      for (let i = 0; i < 3; i++) this.#write(i === 0 ? "# header" : `line over ${i} ${this.written.length}`);
  }
}

type Story = (typeof ACTIONS)[number][];

/** A copy that was seen while its original had no key yet, and the key made another record of it. */
const ONCE_WRONG: [Story][] = [
  [
    [
      "append",
      "truncate",
      "overwrite",
      "restart unseen",
      "copy",
      "append",
      "overwrite",
      "restart unseen",
      "append",
      "append",
    ],
  ],
  [["append", "copytruncate", "overwrite", "copy", "append", "wait", "truncate", "restart unseen", "append"]],
];

test(
  "whatever an application does to its files, every line comes once (invariants 4 and 6)",
  { timeout: 180_000 + RUNS * 200 },
  async () => {
    await assert(
      asyncProperty(array(constantFrom(...ACTIONS), { minLength: 5, maxLength: 40 }), async (actions) => {
        const application = new Application();
        mkdirSync(application.logs.path);
        await application.start();
        try {
          for (const action of actions) await application.act(action);
          await application.look();
          expect(application.read.toSorted()).toEqual(application.written.toSorted());
        } finally {
          await leaveNothing(application.follower, application.logs);
        }
      }),
      { numRuns: RUNS, seed: SEED, examples: ONCE_WRONG },
    );
  },
);

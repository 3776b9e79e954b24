/** The real pannier in a process of its own, as its users start it. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { memoryOf } from "./process-memory.ts";

/** A line of pannier's own log. */
export interface LogLine {
  readonly code: string;
  readonly level?: string;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StatusFile {
  readonly path: string;
  readonly status: string;
  readonly size: number;
  readonly lag_bytes: number;
  readonly lag_seconds: number;
  /** Of a file that is gone: how much of `lost` may have arrived. */
  readonly perhaps_lost?: number;
  readonly ledger: Readonly<
    Record<"unread" | "in_flight" | "delivered" | "filtered" | "dead_lettered" | "cut" | "lost", number>
  >;
}

export interface StatusSink {
  readonly name: string;
  readonly state: string;
  readonly last_error: { readonly code: string; readonly message: string } | null;
  readonly delivered_lines: number;
  readonly retries: number;
  readonly rejected: number;
  readonly unexpected_conflicts: number;
}

/** The parts of `GET /status` that tests read. */
export interface Status {
  readonly state: string;
  readonly files: readonly StatusFile[];
  readonly sinks: readonly StatusSink[];
}

export interface AgentOptions {
  /** V8 flags; those that every launcher passes when not given. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly stdin?: "ignore" | "pipe";
  /** A command that starts what follows it in its place, in other surroundings; see mounts.ts. */
  readonly through?: readonly string[];
  /** Do not ask for an admin listener on a free port. */
  readonly noAdmin?: boolean;
}

export interface Agent {
  readonly pid: number;
  /** What it has logged so far. Lines of stderr that are not JSON stand as `{code: "", msg}`. */
  readonly logs: readonly LogLine[];
  readonly exited: Promise<Exit>;
  /** Waits for the end; when it does not come, kills it and says what the sinks last complained about. */
  end(timeoutMs?: number): Promise<Exit>;
  stdout(): string;
  /** The first line with this code (also one that is there already); rejects when the process ends or time is over. */
  waitForLog(code: string, timeoutMs?: number): Promise<LogLine>;
  /** `GET` on the admin listener. */
  get(path: string): Promise<Response>;
  status(): Promise<Status>;
  /** Polls `/status` until it is as wanted. */
  waitForStatus(wanted: (status: Status) => boolean, timeoutMs?: number): Promise<Status>;
  /** Resident peak and own memory now, in bytes. */
  memory(): { peakResidentBytes: number; ownBytes: number };
  kill(signal: NodeJS.Signals): void;
  /** `kill -9`, and waits until it is gone. */
  kill9(): Promise<void>;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<Exit>;
}

export const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
/** V8 flags that image, unit and launcher pass (contract §1). */
export const SHIPPED_FLAGS: readonly string[] = ["--min-semi-space-size=4", "--max-semi-space-size=4"];

const POLL_MS = 25;
const WAIT_MS = 60_000;
const running = new Set<Agent>();

/** Starts `node dist/cli/main.js ARGS…`. Every agent that is not stopped by its test is killed by `killAgents` or at exit. */
export function startAgent(args: readonly string[], options: AgentOptions = {}): Agent {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: npm run build makes it`);
  const admin = options.noAdmin === true ? [] : ["--admin", "127.0.0.1:0"];
  const flags = options.flags ?? SHIPPED_FLAGS;
  const [program, ...rest] = [...(options.through ?? []), process.execPath, ...flags, MAIN, ...args, ...admin];
  const child = spawn(program, rest, {
    stdio: [options.stdin ?? "ignore", "pipe", "pipe"],
    env: cleanEnvironment(options.env),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const logs: LogLine[] = [];
  let stdout = "";
  let ended = false;
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  createInterface(child.stderr!).on("line", (line) => logs.push(parseLog(line)));
  const exited = new Promise<Exit>((resolve) => {
    child.on("close", (code, signal) => {
      ended = true;
      running.delete(agent);
      resolve({ code, signal });
    });
  });

  const poll = async <T>(
    what: string,
    look: () => Promise<T | undefined> | T | undefined,
    timeoutMs: number,
  ): Promise<T> => {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const over = ended || performance.now() > deadline;
      const found = await look();
      if (found !== undefined) return found;
      if (over) {
        const tail = logs
          .slice(-10)
          .map((line) => JSON.stringify(line))
          .join("\n");
        throw new Error(
          `${what} did not come ${ended ? "before the end" : `within ${timeoutMs} ms`}; the log ends with\n${tail}`,
        );
      }
      await sleep(POLL_MS);
    }
  };
  const waitForLog = (code: string, timeoutMs = WAIT_MS): Promise<LogLine> =>
    poll(`log code ${code}`, () => logs.find((line) => line.code === code), timeoutMs);
  const get = async (path: string): Promise<Response> => {
    const { port } = await waitForLog("admin_listening");
    const answer = await fetch(`http://127.0.0.1:${String(port)}${path}`);
    // What it wrote before it answered is in its pipes, and is read before the next turn.
    await nextTurn();
    return answer;
  };
  const status = async (): Promise<Status> => (await (await get("/status")).json()) as Status;

  const end = async (timeoutMs = WAIT_MS): Promise<Exit> => {
    const exit = await Promise.race([exited, sleep(timeoutMs, undefined, { ref: false })]);
    if (exit !== undefined) return exit;
    const last = await status().then(
      ({ sinks }) => sinks.map((sink) => `${sink.name} is ${sink.state}: ${sink.last_error?.message}`).join("\n"),
      (error: unknown) => `no status: ${String(error)}`,
    );
    child.kill("SIGKILL");
    throw new Error(`it had not ended after ${timeoutMs} ms; ${last}`);
  };

  const agent: Agent = {
    pid: child.pid!,
    logs,
    exited,
    end,
    stdout: () => stdout,
    waitForLog,
    get,
    status,
    waitForStatus: (wanted, timeoutMs = WAIT_MS) =>
      poll(
        "the wanted status",
        async () => {
          const now = await status();
          return wanted(now) ? now : undefined;
        },
        timeoutMs,
      ),
    memory: () => ({ peakResidentBytes: memoryOf(child.pid!, "VmHWM"), ownBytes: memoryOf(child.pid!, "RssAnon") }),
    kill: (signal) => void child.kill(signal),
    kill9: async () => {
      child.kill("SIGKILL");
      await exited;
    },
    stop: () => {
      child.kill("SIGTERM");
      return exited;
    },
  };
  running.add(agent);
  return agent;
}

/** For `afterEach`: no agent outlives its test. */
export async function killAgents(): Promise<void> {
  await Promise.all(Array.from(running, (agent) => agent.kill9()));
}

process.on("exit", () => {
  for (const agent of running) agent.kill("SIGKILL");
});

/** Every byte that was seen is delivered, filtered, dead-lettered, cut or lost. */
export function isCommitted(status: Pick<Status, "files">): boolean {
  return (
    status.files.length > 0 && status.files.every((file) => file.ledger.unread === 0 && file.ledger.in_flight === 0)
  );
}

/** The environment without what would change pannier's behaviour, and with what the test wants. */
function cleanEnvironment(wanted: AgentOptions["env"]): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(PANNIER_|OTEL_|POD_UID$|STATE_DIRECTORY$|NODE_OPTIONS$|HTTPS?_PROXY$)/i.test(name),
  );
  return { ...Object.fromEntries(kept), ...wanted };
}

function parseLog(line: string): LogLine {
  try {
    const parsed = JSON.parse(line) as Partial<LogLine>;
    return { ...parsed, code: parsed.code ?? "" };
  } catch {
    return { code: "", msg: line };
  }
}

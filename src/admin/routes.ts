import { GRACE_DEFAULT_MS, LOOP_STALL_MAX_MS } from "../core/limits.ts";
import { formatDuration, parseDurationMs } from "../core/units.ts";
import type { LoopMonitor } from "./loop-monitor.ts";

/** What a route says; the body is sent as JSON, its lazy lists item by item (see json.ts). */
export interface Answer {
  readonly status: number;
  readonly body: object;
}

/** One path of a listener. */
export interface Route {
  readonly methods: readonly ("GET" | "POST")[];
  answer(query: URLSearchParams): Answer;
}

/** Routes by path. */
export type Routes = Readonly<Record<string, Route>>;

/** What the listeners ask of the agent. */
export interface AgentView {
  readonly loop: Pick<LoopMonitor, "overdueMs" | "worstDelayMs">;
  /** What readiness still waits for, in words (`first sweep`, `state directory is not writable: …`); empty when ready. Never the sink. */
  waitingFor(): readonly string[];
  /** `/-/drain-soon` was called. */
  drainSoon(graceMs: number): void;
  /** The answer of `/status`. */
  status(): object;
}

/** What both listeners answer, without a token: probes and the announcement of a drain. */
export function healthRoutes(agent: Omit<AgentView, "status">): Routes {
  return {
    "/livez": {
      methods: ["GET"],
      answer: () => {
        const alive = agent.loop.overdueMs() < LOOP_STALL_MAX_MS;
        const body = { status: alive ? "ok" : "stalled", loop_delay_ms: Math.round(agent.loop.worstDelayMs()) };
        return { status: alive ? 200 : 503, body };
      },
    },
    "/readyz": {
      methods: ["GET"],
      answer: () => {
        const waitingFor = agent.waitingFor();
        if (waitingFor.length === 0) return { status: 200, body: { status: "ok" } };
        return { status: 503, body: { status: "not_ready", waiting_for: waitingFor } };
      },
    },
    "/-/drain-soon": { methods: ["GET", "POST"], answer: (query) => drainSoon(agent, query.get("grace")) },
  };
}

/** What the admin listener answers. */
export function adminRoutes(agent: AgentView): Routes {
  return {
    ...healthRoutes(agent),
    "/status": { methods: ["GET"], answer: () => ({ status: 200, body: agent.status() }) },
  };
}

function drainSoon(agent: Pick<AgentView, "drainSoon">, grace: string | null): Answer {
  const graceMs = grace === null ? GRACE_DEFAULT_MS : parseDurationMs(grace);
  if (graceMs === undefined) {
    const message = "grace is a duration with a unit, the Pod's own grace period: /-/drain-soon?grace=30s";
    return { status: 400, body: { error: "bad_grace", message } };
  }
  agent.drainSoon(graceMs);
  return { status: 200, body: { status: "draining_soon", grace: formatDuration(graceMs) } };
}

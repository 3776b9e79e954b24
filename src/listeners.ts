import { type Listener, startListener } from "./admin/listener.ts";
import { LoopMonitor } from "./admin/loop-monitor.ts";
import { type AgentView, adminRoutes, healthRoutes } from "./admin/routes.ts";
import type { Config, ListenConfig } from "./core/config.ts";
import type { Log } from "./core/log.ts";

type Name = "admin" | "health";
const NAMES: readonly Name[] = ["admin", "health"];

/** The listeners that the configuration asks for. */
export class Listeners {
  readonly #agent: AgentView;
  readonly #log: Log;
  readonly #loop = new LoopMonitor();
  readonly #open = new Map<Name, { listener: Listener; listen: ListenConfig }>();

  constructor(view: Omit<AgentView, "loop">, log: Log) {
    this.#agent = { ...view, loop: this.#loop };
    this.#log = log;
  }

  /**
   * Opens, moves and closes them as this configuration wants. When one cannot be opened that the user asked for, all are as
   * they were before, and it throws.
   */
  async follow(config: Config): Promise<void> {
    const before = new Map(this.#open);
    try {
      for (const name of NAMES) await this.#move(name, config[name]);
    } catch (error) {
      for (const name of NAMES) {
        const old = before.get(name);
        await this.#move(name, old?.listen, old?.listener.port).catch(() => undefined);
      }
      throw error;
    }
  }

  /** `port`: the one that it had, where the configuration leaves the choice to the system. */
  async #move(name: Name, listen: ListenConfig | undefined, port = listen?.port): Promise<void> {
    const open = this.#open.get(name);
    if (open?.listen.host === listen?.host && open?.listen.port === listen?.port) return;
    // First closed, then opened: the new address may contain the old one.
    await open?.listener.stop();
    this.#open.delete(name);
    if (listen === undefined || port === undefined) return;
    const routes = name === "admin" ? adminRoutes(this.#agent) : healthRoutes(this.#agent);
    const listener = await startListener({ ...listen, port, name, routes, log: this.#log });
    if (listener === undefined) return;
    this.#open.set(name, { listener, listen });
    const at = `${name} listener on ${listen.host}:${listener.port}`;
    this.#log.info(`${name}_listening`, at, { port: listener.port });
  }

  async stop(): Promise<void> {
    this.#loop.stop();
    await Promise.all(Array.from(this.#open.values(), ({ listener }) => listener.stop()));
    this.#open.clear();
  }
}

import { type Listener, startListener } from "./admin/listener.ts";
import { LoopMonitor } from "./admin/loop-monitor.ts";
import { type AgentView, adminRoutes, healthRoutes } from "./admin/routes.ts";
import type { Config } from "./core/config.ts";
import type { Log } from "./core/log.ts";

/** Opens the listeners that the configuration asks for; resolves with what closes them. */
export async function openListeners(
  config: Config,
  view: Omit<AgentView, "loop">,
  log: Log,
): Promise<{ stop(): Promise<void> }> {
  const loop = new LoopMonitor();
  const agent: AgentView = { ...view, loop };
  const open: Listener[] = [];
  const stop = async (): Promise<void> => {
    loop.stop();
    await Promise.all(open.map((listener) => listener.stop()));
  };
  try {
    for (const name of ["admin", "health"] as const) {
      const listen = config[name];
      if (listen === undefined) continue;
      const routes = name === "admin" ? adminRoutes(agent) : healthRoutes(agent);
      const listener = await startListener({ ...listen, name, routes, log });
      if (listener !== undefined) {
        open.push(listener);
        log.info(`${name}_listening`, `${name} listener on ${listen.host}:${listener.port}`, { port: listener.port });
      }
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}

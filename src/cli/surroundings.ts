import type { Environment } from "../config/variables.ts";

/** A variable that is set to something. */
export function presentIn(env: Environment, name: string): string | undefined {
  const text = env[name]?.trim();
  return text === "" ? undefined : text;
}

/** `service.name` of records that have none. */
export function serviceNameOf(env: Environment): string | undefined {
  return presentIn(env, "OTEL_SERVICE_NAME");
}

/** Name of the Pod, which manifests take from the downward API. */
export function podNameOf(env: Environment): string | undefined {
  return presentIn(env, "POD_NAME");
}

import type { Secret } from "../core/config.ts";
import { originOf } from "./secret.ts";

/** A text that is the same for settings that mean the same, to tell what a reload changes. It holds secrets: show it nobody. */
export function fingerprint(settings: unknown): string {
  return JSON.stringify(settings, (_key, value: unknown) => (isSecret(value) ? originOf(value) : value));
}

function isSecret(value: unknown): value is Secret {
  return typeof value === "object" && value !== null && typeof (value as Partial<Secret>).read === "function";
}

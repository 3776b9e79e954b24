import { readFileSync, statSync } from "node:fs";
import type { Secret } from "../core/config.ts";
import { SECRET_FILE_MAX_BYTES } from "../core/limits.ts";

/** A piece of a value: text, or what a file says now. */
export type Part = Secret;

/** A secret that never changes. */
export function literalSecret(value: string): Secret {
  return { read: () => value };
}

/**
 * A secret in a file. It is looked at on every `read()` with one `stat`, and read again when that differs: Kubernetes
 * swaps a link and others write in place. While the file is missing, empty or unreadable, the last good value holds.
 */
export class FileSecret implements Secret {
  readonly path: string;
  #value: string;
  #signature = "";

  /** `value` is what the file said at the start. */
  constructor(path: string, value: string) {
    this.path = path;
    this.#value = value;
  }

  read(): string {
    try {
      const signature = signatureOf(this.path);
      if (signature === this.#signature) return this.#value;
      this.#value = readSecretFile(this.path);
      this.#signature = signature;
    } catch {
      // A swap is under way, or the volume is gone for a moment: the next read looks again.
    }
    return this.#value;
  }
}

/** A secret of several pieces, such as `id:${file:/run/secrets/key}`. */
export class PartsSecret implements Secret {
  readonly parts: readonly Part[];

  constructor(parts: readonly Part[]) {
    this.parts = parts;
  }

  read(): string {
    return this.parts.map((part) => part.read()).join("");
  }

  /** Path of the file when the secret is that file and nothing else. */
  get path(): string | undefined {
    const told = this.parts.filter((part) => part instanceof FileSecret || part.read() !== "");
    return told.length === 1 && told[0] instanceof FileSecret ? told[0].path : undefined;
  }
}

/** Text that is the same for secrets of the same origin, whatever their files say now. It may hold the secret itself. */
export function originOf(secret: Secret): string {
  if (secret instanceof FileSecret) return `file:${secret.path}`;
  return secret instanceof PartsSecret ? secret.parts.map(originOf).join("") : secret.read();
}

/** What the file says, without line ends and spaces around it. Throws when that is nothing, or cannot be a credential. */
export function readSecretFile(path: string): string {
  const stat = statSync(path);
  if (!stat.isFile()) throw new Error("it is no regular file");
  if (stat.size > SECRET_FILE_MAX_BYTES) throw new Error(`it is larger than ${SECRET_FILE_MAX_BYTES} bytes`);
  const value = readFileSync(path, "utf8").trim();
  if (value === "") throw new Error("it is empty");
  if (/[\r\n\0]/.test(value)) throw new Error("it holds more than one line");
  return value;
}

function signatureOf(path: string): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
}

import { constants, fstatSync, openSync, write as writeFd } from "node:fs";
import { Socket } from "node:net";

/** Writes bytes to a descriptor at its reader's pace. */
export interface Output {
  /** Resolves when the reader's side has taken all of it; rejects when nobody reads any more. */
  write(bytes: Buffer): Promise<void>;
  close(): void;
}

/**
 * The way to standard output. A pipe is opened anew, non-blocking: writes to the one we were given would block the whole
 * process while its reader sleeps, and making that one non-blocking would change it for whoever shares it. Everything else
 * (file, terminal, socket) is written from the thread pool.
 */
export function openOutput(fd: number): Output {
  return fstatSync(fd).isFIFO() ? new PipeOutput(fd) : new FileOutput(fd);
}

class PipeOutput implements Output {
  readonly #socket: Socket;
  #failed: Error | undefined;

  constructor(fd: number) {
    const own = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
    this.#socket = new Socket({ fd: own, readable: false, writable: true });
    this.#socket.on("error", (error) => (this.#failed = error));
  }

  write(bytes: Buffer): Promise<void> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => {
        if (error) reject(error);
        else resolve();
      });
      this.#socket.once("close", () => reject(this.#failed ?? new Error("standard output was closed")));
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

class FileOutput implements Output {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  async write(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#some(bytes, at);
  }

  #some(bytes: Buffer, at: number): Promise<number> {
    return new Promise((resolve, reject) => {
      writeFd(this.#fd, bytes, at, bytes.length - at, null, (error, written) => {
        if (error === null) resolve(written);
        else if (error.code === "EAGAIN") setTimeout(() => resolve(0), 5);
        else reject(error);
      });
    });
  }

  close(): void {
    // The descriptor is not ours.
  }
}

import { createServer } from "node:net";

/** Below the ports that the kernel hands out, so that nobody who asks for any port gets it meanwhile. */
const FIRST = 20_000;
const COUNT = 12_000;

/** A port of 127.0.0.1 on which nobody listens, and nobody will for the next while. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

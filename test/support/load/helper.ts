/** Processes that help a test, so that their work and memory are not its own: questions go over Node's IPC. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

interface Asked {
  readonly id: number;
  readonly question: unknown;
}

/** A helper process; `Hello` is what it said when it was ready. */
export interface Helper<Q, Hello> {
  readonly hello: Hello;
  ask<A>(question: Q): Promise<A>;
  /** Ends it, and waits for that. */
  stop(): Promise<void>;
}

/** In the helper: says hello, then answers question after question. It ends with its parent. */
export function answerQuestions(hello: unknown, answer: (question: unknown) => unknown): void {
  process.on("message", ({ id, question }: Asked) => {
    void (async () => process.send?.({ id, answer: await answer(question) }))();
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.({ id: 0, answer: hello });
}

/** Starts a program of this folder. */
export async function startHelper<Q, Hello>(program: string, args: readonly string[]): Promise<Helper<Q, Hello>> {
  const child = fork(fileURLToPath(new URL(program, import.meta.url)), args, { execArgv: [] });
  const open = new Map<number, (answer: unknown) => void>();
  let ended = false;
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => {
      ended = true;
      resolve();
    });
  });
  child.on("message", ({ id, answer }: { id: number; answer: unknown }) => {
    open.get(id)?.(answer);
    open.delete(id);
  });
  const answerTo = <A>(id: number): Promise<A> =>
    new Promise((resolve, reject) => {
      open.set(id, resolve as (answer: unknown) => void);
      void exited.then(() => reject(new Error(`${program} has ended`)));
    });
  let asked = 0;
  const hello = await answerTo<Hello>(0);
  return {
    hello,
    ask: async <A>(question: Q) => {
      const id = ++asked;
      const answer = answerTo<A>(id);
      if (!ended) child.send({ id, question } satisfies Asked);
      return answer;
    },
    stop: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

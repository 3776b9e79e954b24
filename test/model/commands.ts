/** What may happen, as fast-check commands: each says in its name what it does, so that a failure reads as a story. */
import {
  type Arbitrary,
  type AsyncCommand,
  array,
  boolean,
  commands,
  constant,
  constantFrom,
  integer,
  record,
  tuple,
} from "fast-check";
import { type Application, NAMES } from "./application.ts";
import type { LineShape } from "./lines.ts";
import type { Model } from "./model.ts";
import { FAULTS } from "./index.ts";
import type { World } from "./world.ts";

type Act = (world: World) => void | Promise<void>;
type IsPossible = (model: Model) => boolean;
export type Story = Iterable<AsyncCommand<Model, World>>;

class Step implements AsyncCommand<Model, World> {
  readonly #title: string;
  readonly #act: Act;
  readonly #isPossible: IsPossible;

  constructor(title: string, act: Act, isPossible: IsPossible) {
    this.#title = title;
    this.#act = act;
    this.#isPossible = isPossible;
  }

  check(model: Readonly<Model>): boolean {
    return this.#isPossible(model);
  }

  async run(_model: Model, world: World): Promise<void> {
    await this.#act(world);
  }

  toString(): string {
    return this.#title;
  }
}

const always: IsPossible = () => true;
const shape: Arbitrary<LineShape> = record({ json: boolean(), repeats: constantFrom(0, 1, 5, 40, 400) });
const longShape: Arbitrary<LineShape> = record({ json: boolean(), repeats: constantFrom(30, 300) });

/** A step for one of the files, in one of its variants. */
function onFile<T>(variants: Arbitrary<T>, step: (file: string, variant: T) => [title: string, act: Act]) {
  return tuple(constantFrom(...NAMES), variants).map(([file, variant]) => new Step(...step(file, variant), always));
}

/** The same for a file that has to be there. */
function onExisting<T>(variants: Arbitrary<T>, step: (file: string, variant: T) => [title: string, act: Act]) {
  return tuple(constantFrom(...NAMES), variants).map(([file, variant]) => {
    const exists: IsPossible = ({ contents }) => [...contents.keys()].some((path) => path.endsWith(`/${file}`));
    return new Step(...step(file, variant), exists);
  });
}

const none = constant(undefined);

const writing = [
  onFile(tuple(constantFrom(1, 3, 50), shape), (file, [count, how]) => [
    `write ${count} to ${file}`,
    ({ application }) => application.write(file, count, how),
  ]),
  onFile(longShape, (file, how) => [`begin a line in ${file}`, ({ application }) => application.begin(file, how)]),
  onExisting(none, (file) => [`go on with the line in ${file}`, ({ application }) => application.goOn(file)]),
  tuple(constantFrom(1, 5), shape).map(
    ([count, how]) => new Step(`write ${count} late`, ({ application }) => application.writeLate(count, how), always),
  ),
];

/** Files that have nothing but these are alike: nothing tells which of them a copy is one of. */
const writingAlike = [
  onFile(none, (file) => [`write the header to ${file}`, ({ application }) => application.writeHeader(file)]),
  onFile(none, (file) => [`write white space to ${file}`, ({ application }) => application.writeBlank(file)]),
];

const rotating = [
  onExisting(boolean(), (file, create) => [
    `rotate ${file} by number${create ? "" : ", no new file"}`,
    ({ application }) => application.rotateByNumber(file, create),
  ]),
  onExisting(boolean(), (file, dash) => [
    `rotate ${file} by date${dash ? "" : " with a dot"}`,
    ({ application }) => application.rotateByDate(file, dash),
  ]),
  onExisting(none, (file) => [`copy and truncate ${file}`, ({ application }) => application.copyTruncate(file)]),
  onExisting(none, (file) => [`move ${file} across`, ({ application }) => application.moveAcross(file)]),
];

const leaving = onExisting(none, (file) => [`move ${file} away`, ({ application }) => application.moveAway(file)]);

const destroying = [
  onExisting(none, (file) => [`truncate ${file}`, ({ application }) => application.truncate(file)]),
  onExisting(none, (file) => [
    `settle and truncate ${file}`,
    async (world) => {
      await world.settle();
      world.application.truncate(file);
    },
  ]),
  onExisting(none, (file) => [
    `truncate ${file} and write the header`,
    ({ application }) => {
      application.truncate(file);
      application.writeHeader(file);
    },
  ]),
  onExisting(boolean(), (file, keeps) => [
    `delete ${file}${keeps ? ", still written to" : ""}`,
    ({ application }) => application.delete(file, keeps),
  ]),
  onExisting(tuple(shape, boolean()), (file, [how, hasHeader]) => [
    `delete ${file} and make it anew${hasHeader ? " with the header" : ""}`,
    ({ application }) => {
      application.delete(file, false);
      if (hasHeader) application.writeHeader(file);
      application.write(file, 2, how);
    },
  ]),
  onFile(tuple(shape, boolean()), (file, [how, hasHeader]) => [
    `replace ${file} by a new file${hasHeader ? " with the header" : ""}`,
    ({ application }) => application.replace(file, 2, how, hasHeader),
  ]),
];

const receiving = [
  tuple(constantFrom(...FAULTS), integer({ min: 1, max: 4 })).map(
    ([fault, requests]) =>
      new Step(`receiver: ${fault} for ${requests}`, ({ receiver }) => receiver.misbehave(fault, requests), always),
  ),
  constant(new Step("receiver: heal", ({ receiver }) => receiver.heal(), always)),
];

const isDown: IsPossible = ({ isRunning }) => !isRunning;
const start = constant(new Step("start", async (world) => void (await world.start()), isDown));

/** What an application may do while pannier looks at its files for the first time. */
const deeds: Readonly<Record<string, (application: Application, file: string) => void>> = {
  "write to": (application, file) => application.write(file, 2, { json: false, repeats: 5 }),
  "rotate by number": (application, file) => application.rotateByNumber(file, true),
  "rotate by number, no new file:": (application, file) => application.rotateByNumber(file, false),
  "rotate by date": (application, file) => application.rotateByDate(file, true),
  "copy and truncate": (application, file) => application.copyTruncate(file),
  "move across": (application, file) => application.moveAcross(file),
};
const deed = tuple(constantFrom(0, 1, 2, 5, 10, 20, 50), constantFrom(...Object.keys(deeds)), constantFrom(...NAMES));
const startAmid = array(deed, { minLength: 1, maxLength: 12, size: "max" }).map((chosen) => {
  const titles = chosen.map(([steps, what, file]) => `after ${steps}, ${what} ${file}`);
  const acts = chosen.map(([steps, what, file]) => ({
    steps,
    act(application: Application): void {
      application.open(file);
      deeds[what](application, file);
    },
  }));
  return new Step(
    `start, and meanwhile (${titles.join("; ")})`,
    async (world) => void (await world.start(acts)),
    isDown,
  );
});
const supervising = [
  constantFrom(1, 2, 3, 5, 8, 13, 21, 34, 55).map(
    (steps) => new Step(`crash after ${steps} steps`, (world) => world.crashSoon(steps), always),
  ),
  constant(
    new Step(
      "kill -9",
      (world) => world.kill(),
      (model) => model.isRunning,
    ),
  ),
  constant(
    new Step(
      "SIGTERM",
      (world) => world.drain(),
      (model) => model.isRunning,
    ),
  ),
  constantFrom(0, 1).map(
    (variant) =>
      new Step(
        `reload configuration ${variant}`,
        ({ subject }) => subject.reload(variant),
        (model) => model.isRunning,
      ),
  ),
  constant(new Step("settle", (world) => world.settle(), always)),
];
const pausing = constantFrom(1, 5, 20, 60, 300).map(
  (ms) => new Step(`pause ${ms} ms`, ({ subject }) => subject.pass(ms), always),
);

/** Some stand more than once: a story without lines and starts would tell nothing. */
const gentle = [writing, writing, rotating, receiving, supervising]
  .flat()
  .concat(start, startAmid, startAmid, pausing, pausing);
const all = gentle.concat(writingAlike, writingAlike, destroying, leaving);

const COMMANDS_MAX = 40;

/** In a gentle one nothing goes away that was written, and no two files are alike. With `replayPath` the very steps that a failure has printed. */
export function story(isGentle: boolean, replayPath?: string): Arbitrary<Story> {
  const replay = replayPath === undefined ? {} : { replayPath };
  return commands(isGentle ? gentle : all, { maxCommands: COMMANDS_MAX, size: "max", ...replay });
}

import { resolve } from "node:path";
import picomatch from "picomatch";
import type { InputConfig } from "../core/config.ts";

/** One entry of `paths`: a file, a directory or a glob. */
export interface Pattern {
  /** As the user wrote it. */
  readonly text: string;
  /** Where to look: the static part of a glob, or the path itself. */
  readonly root: string;
  /** It names one path, a file or a directory with all its `*.log` files. */
  readonly literal: boolean;
  matches(path: string): boolean;
  /** Files below this directory, which lies below the root, may match. */
  mayHold(directory: string): boolean;
}

/** The patterns of all inputs. */
export class Patterns {
  inputs: readonly InputConfig[] = [];
  all: readonly Pattern[] = [];
  #byInput: readonly { patterns: readonly Pattern[]; isExcluded: (path: string) => boolean }[] = [];
  /** Patterns that a file was found for. */
  readonly hits: Set<Pattern> = new Set();

  constructor(inputs: readonly InputConfig[]) {
    this.follow(inputs);
  }

  /** From now on these are the inputs. */
  follow(inputs: readonly InputConfig[]): void {
    this.inputs = inputs;
    this.hits.clear();
    this.#byInput = inputs.map((input) => ({
      patterns: input.paths.map(compile),
      isExcluded: compileExclude(input.exclude),
    }));
    this.all = this.#byInput.flatMap(({ patterns }) => patterns);
  }

  /** Index of the first input that the path belongs to, or -1. */
  ownerOf(path: string): number {
    return this.#byInput.findIndex(
      ({ patterns, isExcluded }) => patterns.some((pattern) => pattern.matches(path)) && !isExcluded(path),
    );
  }

  /** The input leaves this path out. */
  isExcluded(path: string, input: number): boolean {
    return this.#byInput[input].isExcluded(path);
  }

  /** Notes the patterns that a file which exists belongs to. */
  noteHit(path: string): void {
    for (const pattern of this.all) if (!this.hits.has(pattern) && pattern.matches(path)) this.hits.add(pattern);
  }

  mayHold(directory: string): boolean {
    return this.all.some((pattern) => isBelow(pattern.root, directory) && pattern.mayHold(directory));
  }
}

/** The path is the root or lies in it. */
export function isBelow(root: string, path: string): boolean {
  return path === root || path.startsWith(root === "/" ? "/" : `${root}/`);
}

function relativeTo(root: string, path: string): string {
  return path.slice(root === "/" ? 1 : root.length + 1);
}

const isLog = picomatch("**/*.log");

function compile(text: string): Pattern {
  const { isGlob, base, glob } = picomatch.scan(text, { nonegate: true });
  const whole = resolve(text);
  if (!isGlob) {
    return {
      text,
      root: whole,
      literal: true,
      matches: (path) => path === whole || (isBelow(whole, path) && isLog(relativeTo(whole, path))),
      mayHold: (directory) => directory === whole || !isHidden(relativeTo(whole, directory)),
    };
  }
  const root = resolve(base);
  const isMatch = picomatch(glob, { nonegate: true });
  const mayHold = compilePrefix(glob);
  return {
    text,
    root,
    literal: false,
    // A file whose name looks like a glob is still found by its exact name.
    matches: (path) =>
      path === whole || (path.length > root.length && isBelow(root, path) && isMatch(relativeTo(root, path))),
    mayHold: (directory) => directory === root || mayHold(relativeTo(root, directory)),
  };
}

function isHidden(relative: string): boolean {
  return relative.startsWith(".") || relative.includes("/.");
}

/** Whether a directory lies on the way to a match: every segment before a `**` must match its own. */
function compilePrefix(glob: string): (relative: string) => boolean {
  const segments = glob.split("/").slice(0, -1);
  const free = segments.findIndex((segment) => segment.includes("**"));
  const fixed = (free < 0 ? segments : segments.slice(0, free)).map((segment) =>
    picomatch(segment, { nonegate: true }),
  );
  // A group that holds a slash cannot be taken apart: then only the whole path decides.
  if (/[{(][^})]*\//.test(glob)) return () => true;
  return (relative) => {
    const parts = relative.split("/");
    if (free < 0 && parts.length > fixed.length) return false;
    return parts.every((part, i) => (i < fixed.length ? fixed[i](part) : !part.startsWith(".")));
  };
}

/** Relative patterns exclude at any depth. */
function compileExclude(patterns: readonly string[]): (path: string) => boolean {
  if (patterns.length === 0) return () => false;
  const anywhere = patterns.map((text) => (text.startsWith("/") || text.startsWith("**") ? text : `**/${text}`));
  return picomatch(anywhere, { dot: true, nonegate: true });
}

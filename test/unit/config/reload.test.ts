import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { fingerprint } from "../../../src/config/fingerprint.ts";
import { ConfigWatch } from "../../../src/config/watch.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { CONFIG_WATCH_MS } from "../../../src/core/limits.ts";
import { Reloader } from "../../../src/reload.ts";
import { SILENT } from "../files/follower.ts";
import { directory, file, load, refusal } from "./support.ts";

const withKey = (key: string, more = ""): string =>
  `${more}inputs: [{ paths: [/logs] }]\nsinks:\n  - { type: elasticsearch, urls: [http://es:9200], auth: { api_key: "${key}" } }\n`;

describe("what a reload compares", () => {
  test("settings that mean the same have one fingerprint; a literal secret counts by its value, one of a file by its path", () => {
    const of = (yaml: string): string => fingerprint(load(yaml).config);
    const first = file("first-key", "secret");
    const second = file("second-key", "secret");
    expect(of(withKey("a"))).toBe(of(`# a comment\n${withKey("a")}`));
    expect(of(withKey("a"))).not.toBe(of(withKey("b")));
    const before = of(withKey(`\${file:${first}}`));
    expect(before).not.toBe(of(withKey(`\${file:${second}}`)));
    file("first-key", "renewed");
    expect(of(withKey(`\${file:${first}}`)), "it is read again where it is used").toBe(before);
  });

  test("every file that the configuration was made from is named", () => {
    const key = file("key", "secret");
    expect(load(withKey(`\${file:${key}}`)).sources).toEqual([path.join(directory, "pannier.yaml"), key]);
  });

  test("the state directory cannot change while pannier runs", () => {
    const running = load(withKey("a", "state_dir: /one\n")).config;
    expect(load(withKey("b", "state_dir: /one\n"), { running }).config.stateDir).toBe("/one");
    const error = refusal(withKey("a", "state_dir: /two\n"), { running });
    expect(error).toMatchObject({ code: "config_needs_restart", exitCode: 78 });
    expect(error.message).toContain("pannier.yaml:1:12: state_dir: it is /one and cannot become /two");
  });
});

describe("when a reload happens", () => {
  test("not before the first look at the files is over; what was wished until then is one reload", async () => {
    const loaded: string[] = [];
    const first = load(withKey("a"));
    const reloader = new Reloader({
      loaded: first,
      load: () => load(withKey("b")),
      apply: ({ file: name }) => Promise.resolve(loaded.push(name!) > 0),
      clock: systemClock,
      log: SILENT,
    });
    reloader.request();
    reloader.request();
    await sleep(20);
    expect(loaded).toEqual([]);
    reloader.start();
    await expect.poll(() => loaded).toEqual([first.file]);
    await sleep(20);
    expect(loaded).toEqual([first.file]);
    await reloader.stop();
  });
});

describe("watching", () => {
  /** Longer than a further look takes, which sees nothing new. */
  const moreLooks = (): Promise<void> => sleep(2 * CONFIG_WATCH_MS);

  test("a change is told once, when it is over: in place, renamed over, through a link that is swapped", async () => {
    const root = path.join(directory, "mount");
    mkdirSync(path.join(root, "1"), { recursive: true });
    mkdirSync(path.join(root, "2"));
    writeFileSync(path.join(root, "1", "c.yaml"), "one");
    writeFileSync(path.join(root, "2", "c.yaml"), "two");
    symlinkSync("1", path.join(root, "data"));
    symlinkSync("data/c.yaml", path.join(root, "c.yaml"));
    const plain = file("plain.yaml", "a");
    let told = 0;
    const watch = new ConfigWatch([path.join(root, "c.yaml"), plain], () => told++);
    onTestFinished(() => watch.stop());

    symlinkSync("2", path.join(root, "data.new"));
    renameSync(path.join(root, "data.new"), path.join(root, "data"));
    await expect.poll(() => told).toBe(1);
    await moreLooks();
    expect(told).toBe(1);
    file("plain.yaml", "b");
    await expect.poll(() => told).toBe(2);
    await moreLooks();
    rmSync(plain);
    // It is gone, which is worth a word.
    await expect.poll(() => told).toBe(3);
    watch.stop();
    file("plain.yaml", "c");
    await moreLooks();
    expect(told).toBe(3);
  });
});

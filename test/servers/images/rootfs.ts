import { spawn } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { chmod, chown } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { cached } from "../cache.ts";
import { run } from "../command.ts";

/** `sh` and what a package manager's scripts call. */
const SHELL_COMMANDS = (
  "sh ls cat echo env grep sed awk sleep ps kill id mkdir rm rmdir cp mv chmod chown ln tail head wc stat df nc wget " +
  "readlink dirname basename uname tr sort true false test find xargs"
).split(" ");

/** The files of an image in the making: copied from this host, since no registry of images can be asked. */
export class RootFs {
  readonly path: string = mkdtempSync(path.join(os.tmpdir(), "pannier-rootfs-"));

  /** A root file system with certificates, /tmp, root and one user. */
  static async create(user: string, uid: number): Promise<RootFs> {
    const root = new RootFs();
    for (const directory of ["tmp", "proc", "sys", "dev", "bin", "usr/bin", "etc", `home/${user}`])
      root.makeDirectory(directory);
    await chmod(root.inside("tmp"), 0o1777);
    await chown(root.inside(`home/${user}`), uid, uid);
    root.write("etc/passwd", `root:x:0:0::/root:/bin/sh\n${user}:x:${uid}:${uid}::/home/${user}:/bin/sh\n`);
    root.write("etc/group", `root:x:0:\n${user}:x:${uid}:\n`);
    root.write("etc/nsswitch.conf", "hosts: files dns\n");
    root.copy("/etc/ssl/certs/ca-certificates.crt");
    root.copy("/etc/os-release");
    return root;
  }

  inside(file: string): string {
    return path.join(this.path, file);
  }

  makeDirectory(directory: string): void {
    mkdirSync(this.inside(directory), { recursive: true });
  }

  write(file: string, text: string): void {
    this.makeDirectory(path.dirname(file));
    writeFileSync(this.inside(file), text);
  }

  /** Copies a file or directory of the host, links followed for a file. */
  copy(from: string, to: string = from): void {
    this.makeDirectory(path.dirname(to));
    cpSync(from, this.inside(to), { recursive: true, dereference: false, force: true, verbatimSymlinks: true });
  }

  /** Copies the shared libraries that these programs and libraries of the host load, and the loader itself. */
  async copyLibraries(...programs: string[]): Promise<void> {
    for (const program of programs) {
      const listed = await run("ldd", [program]).catch(() => "");
      for (const [, library] of listed.matchAll(/(?:=>\s*|^\s*)(\/\S+)(?=\s+\()/gm)) {
        if (library === undefined || library.startsWith(this.path) || existsSync(this.inside(library))) continue;
        this.makeDirectory(path.dirname(library));
        copyFileSync(library, this.inside(library));
      }
    }
  }

  /** A shell: Debian's static busybox, of which nothing is installed on the host. */
  async addShell(): Promise<void> {
    const unpacked = await cached("busybox-static", async (directory) => {
      await run("apt-get", ["download", "-qq", "busybox-static"], { cwd: directory });
      await run("sh", ["-c", "dpkg-deb -x ./*.deb . && rm ./*.deb"], { cwd: directory });
    });
    const busybox = ["bin/busybox", "usr/bin/busybox"]
      .map((file) => path.join(unpacked, file))
      .find((file) => existsSync(file));
    if (busybox === undefined) throw new Error("Debian's package busybox-static holds no busybox");
    this.copy(busybox, "bin/busybox");
    for (const command of SHELL_COMMANDS) symlinkSync("busybox", this.inside(`bin/${command}`));
    symlinkSync("/bin/env", this.inside("usr/bin/env"));
  }

  /** Makes it an image of one layer; `changes` are instructions as in a Dockerfile. */
  async importAs(tag: string, changes: readonly string[]): Promise<void> {
    const tar = spawn("tar", ["-C", this.path, "-c", "."], { stdio: ["ignore", "pipe", "inherit"] });
    const options = changes.flatMap((change) => ["--change", change]);
    const docker = spawn("docker", ["import", ...options, "-", tag], { stdio: ["pipe", "ignore", "inherit"] });
    const ended = new Promise<number | null>((resolve, reject) => docker.on("close", resolve).on("error", reject));
    await pipeline(tar.stdout, docker.stdin);
    const code = await ended;
    if (code !== 0) throw new Error(`docker import ${tag} ended with ${code}`);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Makes the image unless it is there already; `tag` must change when what it is made from does. */
export async function imported(tag: string, make: () => Promise<RootFs>, changes: readonly string[]): Promise<string> {
  if ((await run("docker", ["image", "ls", "-q", tag])).trim() !== "") return tag;
  const root = await make();
  try {
    await root.importAs(tag, changes);
  } finally {
    root.remove();
  }
  return tag;
}

import { appendFileSync } from "node:fs";

/** A log of lines with sequence numbers, that a test writes bit by bit. */
export class NumberedLines {
  readonly path: string;
  /** Lines and bytes so far. */
  count = 0;
  bytes = 0;

  constructor(path: string) {
    this.path = path;
  }

  write(lines: number): void {
    let text = "";
    for (const end = this.count + lines; this.count < end; this.count++) {
      const time = new Date(1_764_000_000_000 + this.count).toISOString();
      text += `${JSON.stringify({ time, level: "info", msg: `order ${this.count}`, seq: this.count })}\n`;
    }
    appendFileSync(this.path, text);
    this.bytes += Buffer.byteLength(text);
  }
}

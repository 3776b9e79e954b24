/** Which bytes of a record were copied from the line as they are, in their order. The others are the same for every line of its shape. */
export class SpanLog {
  /** Where the copies stand in the output. */
  readonly at: number[] = [];
  /** Which bytes of the line they are. */
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  count = 0;
  /** Nothing of the line went out in another way. */
  complete = true;

  clear(): void {
    this.count = 0;
    this.complete = true;
  }

  add(at: number, start: number, end: number): void {
    this.at[this.count] = at;
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.count++;
  }
}

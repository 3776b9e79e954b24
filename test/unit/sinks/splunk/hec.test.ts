import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { GzipCompressor } from "../../../../src/batches/compress.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import { Lane, Line } from "../../../../src/core/record.ts";
import { createRecordEncoder } from "../../../../src/records/encoder.ts";
import { Exchange, type Reply, Verdict } from "../../../../src/sinks/exchange.ts";
import { Carrier } from "../../../../src/sinks/http/carrier.ts";
import { Acknowledgements } from "../../../../src/sinks/splunk/acknowledgement.ts";
import { HecDestination } from "../../../../src/sinks/splunk/hec.ts";
import { SplunkWire } from "../../../../src/sinks/splunk/wire.ts";
import { SplunkDouble, type SplunkDoubleOptions } from "../../../support/splunk-double.ts";

const wire = new SplunkWire({ host: "h", sourcetype: "_json", eventId: true });
const { delivered: D, rejected: R, waiting: W, none: N } = Verdict;
let open: { double: SplunkDouble; carrier: Carrier; compressor: GzipCompressor } | undefined;

beforeEach(() => (open = undefined));
afterEach(async () => {
  open?.carrier.close();
  open?.compressor.close();
  await open?.double.close();
});

/** A request with events of these numbers. */
function exchangeOf(sequences: readonly number[], lane = 0): Exchange {
  const encoder = createRecordEncoder({ format: "auto", timezone: "UTC", fields: {} });
  const line = new Line();
  line.path = "/logs/app.log";
  line.fallbackTime = "2026-01-02T03:04:05.678Z";
  line.lane = new Lane();
  const buffer = Buffer.alloc(1 << 16);
  let at = 7;
  for (const seq of sequences) {
    line.bytes = Buffer.from(`{"msg":"m","seq":${seq}}\n`);
    line.end = line.bytes.length - 1;
    const id = Buffer.from(`id-${seq}`);
    at = wire.write(line, encoder, id, id.length, buffer, at);
  }
  const exchange = new Exchange(lane);
  exchange.begin(buffer, 7, at, sequences.length);
  return exchange;
}

async function serve(options: SplunkDoubleOptions = {}): Promise<{ double: SplunkDouble; hec: HecDestination }> {
  const double = new SplunkDouble(options);
  const urls = [await double.start()];
  const auth = { token: { read: () => "0aa1" } };
  const carrier = new Carrier({ urls, auth, tls: {}, batch: { inFlight: 2 } }, systemClock);
  const compressor = new GzipCompressor(1 << 16);
  open = { double, carrier, compressor };
  const acknowledgements = new Acknowledgements(carrier, systemClock);
  const hec = new HecDestination({ wire, carrier, acknowledgements, compressors: [compressor], clock: systemClock });
  return { double, hec };
}

function send(hec: HecDestination, exchange: Exchange, signal = new AbortController().signal): Promise<Reply> {
  return hec.send(exchange.lane, exchange, signal);
}

const verdictsOf = (exchange: Exchange): number[] => [...exchange.verdicts.subarray(0, exchange.count)];
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe("a request", () => {
  test.each([[0], [1]])("that is good is delivered, through lane %i, compressed or not", async (lane) => {
    const { double, hec } = await serve();
    const exchange = exchangeOf(upTo(20), lane);
    expect(await send(hec, exchange)).toEqual({ kind: "answered" });
    expect(verdictsOf(exchange)).toEqual(upTo(20).map(() => D));
    expect(double.collector.arrivals.map(({ sequence }) => sequence)).toEqual(upTo(20));
    expect(double.requests).toBe(1);
  });

  test.each([
    [1, "retry", "sink_forbidden"],
    [3, "retry", "sink_unauthorized"],
    [7, "retry", "destination_missing"],
    [9, "busy", "sink_busy"],
    [27, "busy", "sink_busy"],
    [8, "retry", "sink_error"],
    [23, "retry", "sink_error"],
    [17, "retry", "sink_not_splunk"],
    [5, "halve", "hec_code_5"],
  ])("that is answered with code %i has no verdict: %s, %s", async (code, kind, says) => {
    const { double, hec } = await serve();
    double.interfere = () => code;
    const exchange = exchangeOf([0, 1]);
    expect(await send(hec, exchange)).toMatchObject({ kind, problem: { code: says } });
    expect(verdictsOf(exchange)).toEqual([N, N]);
    expect(double.collector.arrivals).toEqual([]);
  });

  test("leaves once the journal knows that it does", async () => {
    const { double, hec } = await serve();
    const exchange = exchangeOf([0]);
    let announced = 0;
    exchange.leaving = async () => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(double.requests).toBe(0);
      announced++;
    };
    await send(hec, exchange);
    expect([announced, double.requests]).toEqual([1, 1]);
  });

  test("whose outcome is not known is followed by one on another channel, any other by one on the same", async () => {
    const { double, hec } = await serve();
    double.interfere = (request) => (request === 3 ? 8 : undefined);
    for (const seq of upTo(5)) await send(hec, exchangeOf([seq]));
    const [a, b, c, d, e] = double.channels;
    expect([a === b, b === c, c === d, d === e]).toEqual([true, true, false, true]);
  });
});

describe("events that are refused", () => {
  test("are told apart wherever they are and however the collector counts; nothing else is refused, nothing is missing", async () => {
    const refused = new Set<number>();
    const options: { firstNumber: 0 | 1 } & SplunkDoubleOptions = {
      firstNumber: 0,
      refuses: ({ event }) => (refused.has(Number(event["seq"])) ? 13 : undefined),
    };
    const { double, hec } = await serve(options);
    let base = 0;
    const cases = fc.record({
      count: fc.integer({ min: 1, max: 30 }),
      bad: fc.uniqueArray(fc.integer({ min: 0, max: 29 }), { maxLength: 6 }),
      firstNumber: fc.constantFrom(0 as const, 1 as const),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ count, bad, firstNumber }) => {
        Object.assign(double.collector.options, { firstNumber });
        const sequences = upTo(count).map((i) => base + i);
        refused.clear();
        for (const i of bad) refused.add(base + i);
        base += count;
        const exchange = exchangeOf(sequences);
        expect(await send(hec, exchange)).toEqual({ kind: "answered" });
        expect(verdictsOf(exchange)).toEqual(sequences.map((seq) => (refused.has(seq) ? R : D)));
        for (const seq of sequences) expect(double.collector.sequences.times(seq) > 0).toBe(!refused.has(seq));
        if (bad.some((i) => i < count))
          expect(exchange.reasonsOfTypes.get("hec_code_13")).toBe("Event field cannot be blank (code 13)");
      }),
      { numRuns: 60 },
    );
  });

  test("keep their verdicts when the rest has to wait", async () => {
    const { double, hec } = await serve({ refuses: ({ event }) => (event["seq"] === 2 ? 12 : undefined) });
    // 1: all, 2: what is before, 3: the one alone, 4: half of what is behind.
    double.interfere = (request) => (request === 4 ? 9 : undefined);
    const exchange = exchangeOf(upTo(6));
    expect(await send(hec, exchange)).toEqual({ kind: "answered" });
    expect(verdictsOf(exchange)).toEqual([D, D, R, W, W, W]);
    expect(hec.explain(exchange, 4).code).toBe("sink_busy");
  });

  test("are halved where the collector names none", async () => {
    const { hec } = await serve({ refuses: () => 5 });
    const exchange = exchangeOf([0, 1]);
    expect(verdictsOf(exchange)).toEqual([N, N]);
    expect((await send(hec, exchange)).kind).toBe("halve");
  });
});

describe("acknowledgement", () => {
  test("makes a request wait until it is indexed, and is asked for where the events went", async () => {
    const { double, hec } = await serve({ acknowledges: true });
    double.collector.indexes = false;
    const exchange = exchangeOf([0, 1]);
    let isSettled = false;
    const sent = send(hec, exchange).finally(() => (isSettled = true));
    while (double.cookies.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    expect([isSettled, verdictsOf(exchange)]).toEqual([false, [N, N]]);
    expect(double.cookies).toEqual(["node=7", "node=7"]);
    double.collector.indexAll();
    expect(await sent).toEqual({ kind: "answered" });
    expect(verdictsOf(exchange)).toEqual([D, D]);
  });

  test("that cannot come any more makes the events go out again, on another channel", async () => {
    const { double, hec } = await serve({ acknowledges: true });
    double.collector.indexes = false;
    const exchange = exchangeOf([0]);
    const sent = send(hec, exchange);
    while (double.cookies.length < 1) await new Promise((resolve) => setTimeout(resolve, 10));
    Object.assign(double.collector.options, { acknowledges: false });
    expect(await sent).toMatchObject({ kind: "retry", problem: { code: "sink_unacknowledged" } });
    await send(hec, exchange);
    expect(new Set(double.channels).size).toBe(2);
    expect(double.collector.sequences.times(0)).toBe(2);
  });

  test("of another request is not taken for its own when the collector was restarted meanwhile", async () => {
    const { double, hec } = await serve({ acknowledges: true });
    await send(hec, exchangeOf([0]));
    double.collector.indexes = false;
    const first = exchangeOf([1]);
    const stop = new AbortController();
    const sent = send(hec, first, stop.signal);
    while (double.channels.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    double.collector.forget();
    double.collector.indexes = true;
    // Another lane has a channel of its own, where numbers begin anew as well.
    for (const seq of [2, 3, 4]) await send(hec, exchangeOf([seq], 1));
    expect(verdictsOf(first)).toEqual([N]);
    stop.abort();
    await expect(sent).rejects.toThrow("stopped");
  });

  test("ends with the sink", async () => {
    const { double, hec } = await serve({ acknowledges: true });
    double.collector.indexes = false;
    const stop = new AbortController();
    const sent = send(hec, exchangeOf([0]), stop.signal);
    while (double.requests < 1) await new Promise((resolve) => setTimeout(resolve, 10));
    stop.abort();
    await expect(sent).rejects.toThrow("stopped");
  });
});

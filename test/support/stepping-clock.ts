/**
 * Loaded before pannier by `node --import`: a wall clock that steps by hours and years, forth and back, ten times a second, as
 * time services, hypervisors and people make it do. What is monotonic goes on as always.
 */
const STEP_MS = 100;
const HOUR_MS = 3_600_000;
const STEPS_MS = [
  0,
  2 * HOUR_MS,
  -2 * HOUR_MS,
  400 * 24 * HOUR_MS,
  -400 * 24 * HOUR_MS,
  -20_000 * 24 * HOUR_MS,
  37,
  -37,
];

const now = Date.now.bind(Date);
const RealDate = Date;
const stepped = (): number => now() + STEPS_MS[Math.floor(performance.now() / STEP_MS) % STEPS_MS.length];

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: unknown[]) => Reflect.construct(target, args.length === 0 ? [stepped()] : args) as Date,
  get: (target, name) => (name === "now" ? stepped : Reflect.get(target, name)),
});

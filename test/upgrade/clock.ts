/**
 * Loaded before a program (`NODE_OPTIONS=--import=…`), in each of its threads: its clocks are CLOCK_SHIFT_MS behind
 * (negative) or ahead. What a fixture says of "now" stays so however old the fixture is.
 */
const shift = Number(process.env.CLOCK_SHIFT_MS);
const RealDate = Date;
const now = () => RealDate.now() + shift;

globalThis.Date = new Proxy(RealDate, {
	construct: (target, args, as) => Reflect.construct(target, args.length === 0 ? [now()] : args, as),
	apply: () => new RealDate(now()).toString(),
	get: (target, key, receiver) => (key === 'now' ? now : Reflect.get(target, key, receiver)),
});

/** The time since the machine started: of one start, it moves as the wall clock does. */
const monotonic = process.hrtime.bigint.bind(process.hrtime);
const shiftNs = BigInt(Math.round(shift)) * 1_000_000n;
process.hrtime.bigint = () => monotonic() + shiftNs;

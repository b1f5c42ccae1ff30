/** Makes messages whose readings repeat earlier ones, as devices and their faults make them. */

/** A message as its sender posts it. */
interface FlowBody {
	layout: 'one' | 'list' | 'lines';
	body: string;
	/** Whether what is sound of it is to be taken. */
	partial: boolean;
}

const VALUES = [
	...['0', '-0', '0.0', '21', '21.0', '21.50', '-3.25', '400.5', '0.000001', '0.0000001', '1e2', '4E-1', '1e400'],
	...['123456789012345', '1234567890123456', '5001', '40001', '-41', '007', '.5', '"21.5"', 'null', 'NaN', '[1]'],
];
const SEQS = ['0', '1', '1.0', '1.5', '-1', '9007199254740991', '9007199254740993', '"3"', 'null'];
const BETWEEN = [', ', ',\n ', ' ,\t', ',,', '', '  '];
const LINE_ENDS = ['\r\n', '\n\n', ' \t\n', '\n \n', ' ', '\n\u00a0\n'];

/**
 * A source of messages of a device with a few sensors whose clock shows `now` (epoch ms): most have the shapes of
 * earlier ones.
 */
export function shapeFlow(random: () => number, device: string, now: number): () => FlowBody {
	const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
	const chance = (share: number) => random() < share;
	let seq = 100;
	let at = now - 7 * 24 * 3600_000;
	const value = () => (chance(0.97) ? String(Math.round(random() * 50_000) / 10 ** pick([0, 1, 2])) : pick(VALUES));
	const number = () => (chance(0.96) ? String(chance(0.97) ? ++seq : seq) : pick(SEQS));
	const time = () => {
		at += chance(0.005) ? Math.floor(random() * 36_000_000) : 1000;
		const iso = new Date(at).toISOString();
		return chance(0.97)
			? String(at)
			: pick([`"${iso}"`, String(Math.floor(at / 1000)), String(now + 90_000), '5', '"x"']);
	};
	const sensor = () => `"sensorId":"${device}-${Math.floor(random() * 4)}"`;
	const shapes: (() => string)[] = [
		() => `{${sensor()},"metric":"co2","value":${value()},"observedAt":${time()},"seq":${number()},"boot":"a"}`,
		() => `{${sensor()},"metric":"noise","value":${value()},"seq":${number()}}`,
		() => `{ "value" : ${value()} , ${sensor()},"metric":"co2","unit":"ppm","observedAt":${time()} }`,
		() => `{${sensor()},"metric":"temperature","value":${value()}}`,
	];
	const odd: (() => string)[] = [
		() => `{${sensor()},"co2":${value()},"temperature":${value()},"seq":${number()}}`,
		() => `{${sensor()},"metric":"peopleIn","value":${pick(['1', '2', '0'])},"seq":${number()}}`,
		() => `{${sensor()},"metric":"co2","value":${value()},"buildingId":"${pick(['b1', 'b2', 'foreign'])}"}`,
		() => `{${sensor()},"metric":"temperature","unit":"degF","value":${value()}}`,
		() => `{${sensor()},"metric":"co2","value":${value()},"more":{"a":[1]}}`,
		() => `{${sensor()},"metric":"co2","value":${value()},"note":"a \\" b"}`,
		() => `{${sensor()},"metric":"co2","value":${value()},"sensorName":"Door"}`,
		() => pick(['{}', '[]', '5', 'null', '"x"', '{', '{"metric":"co2"}']),
	];
	const usual = [pick(shapes), pick(shapes)];
	return () => {
		const layout = pick(['one', 'list', 'lines'] as const);
		const isOdd = chance(0.15);
		const reading = () => (isOdd && chance(0.3) ? pick(chance(0.5) ? odd : shapes) : pick(usual))();
		if (layout === 'one') return { layout, body: `${reading()}${chance(0.05) ? ' \n' : ''}`, partial: false };
		const readings = Array.from({ length: 1 + Math.floor(random() * 12) }, reading);
		// The same reading twice in one message is a redelivery.
		if (chance(0.05)) readings.push(pick(readings));
		const partial = chance(0.2);
		const between = (usually: string, others: readonly string[]) => (isOdd && chance(0.2) ? pick(others) : usually);
		if (layout === 'lines') {
			const lines = readings.map((one) => `${one}${between('\n', LINE_ENDS)}`).join('');
			return { layout, body: chance(0.1) ? lines.trimEnd() : lines, partial };
		}
		const items = readings.map((one, i) => (i === 0 ? one : `${between(',', BETWEEN)}${one}`)).join('');
		return { layout, body: isOdd && chance(0.05) ? `[${items}` : `[${items}]`, partial };
	};
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bindPorts, type Entry, remember } from './bind-ports.ts';
import { type Candidate, entryName } from './candidates.ts';
import type { SerialConfig } from './serial-config.ts';
import type { PortInfo } from './usb-ports.ts';

/** A port in a USB socket. Without a serial number it differs from others by its socket only. */
function port(socket: number, serialNumber?: string, productId = '7523'): PortInfo {
	return {
		node: `/dev/ttyUSB${socket}`,
		usb: { vendorId: '1a86', productId, serialNumber, path: `1-1.${socket}`, interface: '00' },
		byPath: `/dev/serial/by-path/usb-${socket}`,
	};
}

/** An entry with the ports that fit it, as the scan would find them. */
function entry(config: SerialConfig, ...fits: PortInfo[]): Entry {
	const candidates: Candidate[] = fits.map((one) => ({
		...one,
		name: config.glob === undefined ? entryName(config) : one.byPath!,
	}));
	return { config, candidates, memory: {} };
}

const at = (socket: number) => `/dev/serial/by-path/usb-${socket}`;
/** The entries each bound port is for. */
function bound(entries: Entry[], ports: PortInfo[]): Record<string, string[]> {
	const { bindings } = bindPorts(entries, ports);
	return Object.fromEntries(
		bindings.map(({ candidate, entries: owners }) => [candidate.node, owners.map(({ config }) => entryName(config))]),
	);
}

describe('a serial port', () => {
	it('is bound to the entry that names it most exactly, and a pattern gets the ports that are left', () => {
		const ports = [port(1), port(2, 'S2'), port(3, undefined, '0001'), port(4, 'S4')];
		const [one, two, three, four] = ports as [PortInfo, PortInfo, PortInfo, PortInfo];
		const entries = [
			entry({ glob: '/dev/serial/by-path/*' }, ...ports),
			entry({ usb: { productId: '0001' } }, three),
			entry({ usb: { serialNumber: 'S2' } }, two),
			entry({ path: at(1) }, one),
			entry({ usb: { vendorId: '1a86' }, identify: { device: 'x' } }, ...ports),
		];
		expect(bound(entries, ports)).toEqual({
			'/dev/ttyUSB1': [at(1)],
			'/dev/ttyUSB2': ['usb S2'],
			'/dev/ttyUSB3': ['x'],
			'/dev/ttyUSB4': ['x'],
		});
		expect(bound(entries.slice(0, 4), [one, two, three, four])).toMatchObject({
			'/dev/ttyUSB3': ['usb *:0001'],
			'/dev/ttyUSB4': ['/dev/serial/by-path/*'],
		});
	});

	it('that several entries with identify fit is bound to all of them, to ask which device it is', () => {
		const ports = [port(1), port(2)];
		const entries = ['x', 'y'].map((device) => entry({ usb: { vendorId: '1a86' }, identify: { device } }, ...ports));
		expect(bound(entries, ports)).toEqual({ '/dev/ttyUSB1': ['x', 'y'], '/dev/ttyUSB2': ['x', 'y'] });
	});

	it.each<[string, Entry[], RegExp]>([
		[
			'two entries name it',
			[entry({ path: at(1) }, port(1)), entry({ usb: { path: '1-1.1' } }, port(1))],
			/^\S+usb-1 fits 2 entries/,
		],
		[
			'two ports have its serial number',
			[entry({ usb: { serialNumber: 'A' } }, port(1, 'A'), port(2, 'A'))],
			/usb-1 and \S+usb-2;/,
		],
		['two ports have its vendor id', [entry({ usb: { vendorId: '1a86' } }, port(1), port(2))], /usb-1 and \S+usb-2;/],
		['another port looks the same', [entry({ path: '/dev/ttyUSB1' }, port(1))], /usb-1 and \S+usb-2;/],
		[
			'one sensor would be at two ports',
			[entry({ glob: '*', defaults: { sensorId: 's' } }, port(1), port(2))],
			/usb-1 and \S+usb-2;/,
		],
	])('is not bound, and the reason names the ports, where %s', (_why, entries, reason) => {
		const { bindings, troubles } = bindPorts(entries, [port(1), port(2)]);
		expect(bindings).toEqual([]);
		for (const one of entries) expect(troubles.get(one)).toMatch(reason);
	});

	it('with an ambiguous name is bound as soon as another entry names the other port by its socket', () => {
		const entries = [entry({ path: '/dev/ttyUSB1' }, port(1)), entry({ path: at(2) }, port(2))];
		expect(bound(entries, [port(1), port(2)])).toEqual({ '/dev/ttyUSB1': ['/dev/ttyUSB1'], '/dev/ttyUSB2': [at(2)] });
	});

	it('is told apart from the other interfaces of the same adapter', () => {
		const [first, second] = [port(1, 'A'), { ...port(2, 'A'), usb: { ...port(1, 'A').usb!, interface: '01' } }];
		expect(bound([entry({ path: '/dev/serial/by-id/x-if00' }, first)], [first, second])).toEqual({
			'/dev/ttyUSB1': ['/dev/serial/by-id/x-if00'],
		});
	});

	it('that was one of two that look alike is bound again in its former socket only', () => {
		const one = entry({ usb: { vendorId: '1a86' } }, port(1));
		const scan = (...ports: PortInfo[]) => {
			one.candidates = ports.map((each) => ({ ...each, name: 'it' }));
			const result = bindPorts([one], ports);
			for (const binding of result.bindings) remember(binding);
			return result;
		};
		expect(scan(port(1)).bindings).toHaveLength(1);
		expect(scan(port(1), port(2)).bindings).toEqual([]);
		expect(scan(port(2)).troubles.get(one)).toMatch(
			/^may be the wrong one of two devices that look alike: it is now \S+usb-2;/,
		);
		expect(scan().troubles.get(one)).toBe('not plugged in');
		expect(scan(port(1)).bindings).toHaveLength(1);
	});
});

it('each serial port has one entry or is asked, each entry has one port or a reason, whatever is plugged in', () => {
	const somePorts = fc.uniqueArray(
		fc.record({
			socket: fc.integer({ min: 1, max: 5 }),
			serialNumber: fc.constantFrom(undefined, 'A', 'B'),
			productId: fc.constantFrom('7523', '0001'),
		}),
		{ maxLength: 5, selector: ({ socket }) => socket },
	);
	const someConfig: fc.Arbitrary<SerialConfig> = fc.oneof(
		fc.integer({ min: 1, max: 5 }).map((socket) => ({ path: at(socket) })),
		fc.integer({ min: 1, max: 5 }).map((socket) => ({ path: `/dev/ttyUSB${socket}` })),
		fc.integer({ min: 1, max: 5 }).map((socket) => ({ usb: { path: `1-1.${socket}` } })),
		fc.constantFrom('A', 'B').map((serialNumber) => ({ usb: { serialNumber } })),
		fc.constantFrom('7523', '0001').map((productId) => ({ usb: { productId } })),
		fc.constantFrom('x', 'y').map((device) => ({ usb: { vendorId: '1a86' }, identify: { device } })),
		fc.constantFrom<SerialConfig>({ glob: '*' }, { glob: '*', defaults: { sensorId: 's' } }),
	);
	const fits = ({ path, usb }: SerialConfig, one: PortInfo) =>
		path !== undefined
			? path === one.byPath || path === one.node
			: Object.entries(usb ?? {}).every(
					([key, value]) => one.usb![key as keyof NonNullable<PortInfo['usb']>] === value,
				);
	fc.assert(
		fc.property(
			fc.array(somePorts, { minLength: 1, maxLength: 4 }),
			fc.array(someConfig, { maxLength: 6 }),
			(moments, configs) => {
				const entries = configs.map((config) => entry(config));
				for (const moment of moments) {
					const ports = moment.map(({ socket, serialNumber, productId }) => port(socket, serialNumber, productId));
					for (const one of entries)
						one.candidates = entry(one.config, ...ports.filter((each) => fits(one.config, each))).candidates;
					const { bindings, troubles } = bindPorts(entries, ports);
					expect(new Set(bindings.map(({ candidate }) => candidate.node)).size).toBe(bindings.length);
					for (const one of entries) {
						const own = bindings.filter(({ entries: owners }) => owners.includes(one));
						for (const { candidate, entries: owners } of own) {
							expect(one.candidates.map(({ node }) => node)).toContain(candidate.node);
							if (owners.length > 1) expect(one.config.identify).toBeDefined();
						}
						if (own.length > 1) expect(one.config.identify ?? (one.config.glob && !one.config.defaults)).toBeTruthy();
						if (own.length > 0) expect(troubles.has(one)).toBe(false);
						else if (!one.config.identify) expect(troubles.get(one)).toBeDefined();
					}
				}
			},
		),
		{ numRuns: 500 },
	);
});

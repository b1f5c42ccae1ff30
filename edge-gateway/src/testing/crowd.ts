/**
 * Simulates people who enter and leave a room, and the doors that count them, with errors. Deterministic for a given
 * seed.
 */

/** One person passing one door. */
export interface Crossing {
	/** Epoch ms. */
	at: number;
	door: number;
	direction: 'in' | 'out';
}

/** A door's message: how many people have crossed it in one direction since its last message. */
export interface DoorMessage {
	at: number;
	door: number;
	direction: 'in' | 'out';
	count: number;
}

/** The error of a door, as a share of the crossings: above 0 it counts some twice, below 0 it misses some. */
export interface DoorBias {
	in: number;
	out: number;
}

const DAY_MS = 24 * 3600_000;
const HOUR_MS = 3600_000;
const MONDAY = Date.UTC(2026, 0, 5);

/** A random number generator from 0 to 1 (mulberry32). */
export function seeded(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

/**
 * Crossings in order of time, over `days` that begin with a Monday: about 1,500 visits on a working day and a tenth of
 * that at weekends, with rushes in the morning, at noon and in the early afternoon. Everybody has left by 22:00. Which
 * door is the busiest changes during the day.
 */
export function crossings(days: number, doors: number, random: () => number): Crossing[] {
	const all: Crossing[] = [];
	const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
	for (let day = 0; day < days; day++) {
		const start = MONDAY + day * DAY_MS;
		const visits = Math.round((day % 7 < 5 ? 1500 : 150) * (0.7 + 0.6 * random()));
		const door = (at: number) => {
			const shares = Array.from(
				{ length: doors },
				(_, n) => 1 + 0.8 * Math.sin(at / (3 * HOUR_MS) + (n * 2 * Math.PI) / doors),
			);
			let left = random() * shares.reduce((sum, share) => sum + share, 0);
			for (const [n, share] of shares.entries()) {
				left -= share;
				if (left < 0) return n;
			}
			return doors - 1;
		};
		for (let visit = 0; visit < visits; visit++) {
			const rush = random();
			const hour =
				rush < 0.35
					? 9 + 0.5 * normal()
					: rush < 0.55
						? 12.5 + 0.4 * normal()
						: rush < 0.75
							? 14 + 0.4 * normal()
							: 7 + 13 * random();
			const stays = random() < 0.5 ? 0.1 + 0.5 * random() : 1 + 3 * random();
			const comes = start + Math.min(21, Math.max(6.5, hour)) * HOUR_MS + Math.floor(random() * 60_000);
			const goes = Math.min(comes + stays * HOUR_MS, start + 21.9 * HOUR_MS + Math.floor(random() * 0.1 * HOUR_MS));
			all.push(
				{ at: Math.round(comes), door: door(comes), direction: 'in' },
				{ at: Math.round(Math.max(goes, comes + 1000)), door: door(goes), direction: 'out' },
			);
		}
	}
	return all.sort((a, b) => a.at - b.at);
}

/**
 * The doors' messages for these crossings: one per door and direction for each `everyMs` in which somebody crossed. In
 * addition to its bias, each crossing is missed with probability `chance`, and counted twice with the same.
 */
export function counted(
	all: readonly Crossing[],
	biases: readonly DoorBias[],
	random: () => number,
	everyMs = 10_000,
	chance = 0.02,
): DoorMessage[] {
	const messages = new Map<string, DoorMessage>();
	for (const { at, door, direction } of all) {
		const bias = biases[door]![direction];
		let count = 1;
		if (random() < Math.abs(bias)) count += Math.sign(bias);
		const luck = random();
		if (luck < chance) count = Math.max(0, count - 1);
		else if (luck > 1 - chance) count += 1;
		const slot = (Math.floor(at / everyMs) + 1) * everyMs + door;
		const key = `${slot} ${direction}`;
		const message = messages.get(key) ?? { at: slot, door, direction, count: 0 };
		message.count += count;
		messages.set(key, message);
	}
	return [...messages.values()].filter(({ count }) => count > 0).sort((a, b) => a.at - b.at);
}

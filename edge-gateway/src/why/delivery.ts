/** Says which consumers have a stored reading, and which do not have it yet. */
import { holdMs, type Reading, type StageReport, type Verdict } from '@crowdvision/contracts';
import type { Log } from '@crowdvision/log';
import { iso, stage } from './message-report.ts';

/** A consumer of the log. */
export interface ConsumerState {
	/** Name of its cursor. */
	cursor: string;
	stage: 'relayed' | 'bridged' | 'delivered';
	/** Such as `Redis` or `bridge campus`. */
	name: string;
	/** Since when it is not connected, epoch ms, and why; undefined while it is. */
	trouble?: { since: number; reason: string } | undefined;
}

/** A bridge for raw messages that is not connected. */
export interface WaitingBridge {
	name: string;
	/** Epoch ms. */
	since: number;
	reason: string;
	/** Messages that wait for it. */
	queued: number;
}

/** What `deliveryOf` reads. */
export interface DeliveryParts {
	log: Log;
	consumers: () => ConsumerState[];
	waitingBridges: () => WaitingBridge[];
}

/** Where a stored reading is on its way to the consumers. */
interface Delivery {
	verdict: Verdict;
	/** A text for users. */
	text: string;
	stages: StageReport[];
}

/** A consumer that does not have the reading yet. */
interface Waiting {
	name: string;
	stage: ConsumerState['stage'];
	isConnected: boolean;
	text: string;
}

/** Says which consumers have the reading at `offset` of the log, and which do not. */
export function deliveryOf(offset: number, reading: Reading, parts: DeliveryParts): Delivery {
	const { delivered, waiting, stages } = consumersOf(offset, parts);
	for (const { name, since, reason, queued } of parts.waitingBridges()) {
		if (queued === 0 || waiting.some((one) => one.name === name)) continue;
		const text = `${notConnected(name, since, reason)}, and ${queued} messages wait for it`;
		stages.push(stage('bridged', 'waiting', text));
		waiting.push({ name, stage: 'bridged', isConnected: false, text });
	}
	if (waiting.length > 0)
		return {
			verdict: verdictOfWaiting(waiting),
			text: `stored, but ${waiting.map(({ text }) => text).join('; ')}`,
			stages,
		};
	const text = delivered.length > 0 ? `delivered to ${delivered.join(', ')}` : 'stored; no consumer is configured';
	const { metric, observedAt, receivedAt, freshFor } = reading;
	if (receivedAt - observedAt <= holdMs(metric, freshFor)) return { verdict: 'delivered', text, stages };
	const minutes = Math.round((receivedAt - observedAt) / 60_000);
	return {
		verdict: 'late',
		text:
			`${text}, but observed ${minutes} minutes before it was received: ` +
			'it is in the history, but not the live value',
		stages,
	};
}

function consumersOf(
	offset: number,
	{ log, consumers }: DeliveryParts,
): { delivered: string[]; waiting: Waiting[]; stages: StageReport[] } {
	const positions = log.cursors();
	const delivered: string[] = [];
	const waiting: Waiting[] = [];
	const stages: StageReport[] = [];
	for (const { cursor, name, stage: stageName, trouble } of consumers()) {
		if ((positions.get(cursor) ?? 0) > offset) {
			const at = log.tallies().get(cursor)?.deliveredAt(offset);
			stages.push(stage(stageName, 'ok', name, at));
			delivered.push(at === undefined ? name : `${name} ${iso(at)}`);
			continue;
		}
		const text = trouble ? notConnected(name, trouble.since, trouble.reason) : `${name} does not have it yet`;
		stages.push(stage(stageName, 'waiting', text));
		waiting.push({ name, stage: stageName, isConnected: trouble === undefined, text });
	}
	return { delivered, waiting, stages };
}

/** The verdict by the worst consumer: Redis that is not connected, then a bridge, then any other. */
function verdictOfWaiting(waiting: readonly Waiting[]): Verdict {
	const unconnected = waiting.filter(({ isConnected }) => !isConnected);
	if (unconnected.length === 0) return 'on_its_way';
	if (unconnected.some(({ stage }) => stage === 'relayed')) return 'redis_away';
	return unconnected.some(({ stage }) => stage === 'bridged') ? 'bridge_down' : 'redis_away';
}

const notConnected = (name: string, since: number, reason: string) =>
	`${name} has not been connected since ${iso(since)} (${reason})`;

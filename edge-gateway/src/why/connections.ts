/** Describes the state of Redis, bridges, consumers and devices for the explainer. */
import type { Log } from '@crowdvision/log';
import type { Bridges } from '../bridge/bridges.ts';
import type { BridgeReport } from '../bridge/link/bridge-report.ts';
import { cursorName } from '../bridge/link/link.ts';
import type { Devices } from '../devices/devices.ts';
import type { Relay } from '../log/relay.ts';
import type { ConsumerState } from './delivery.ts';
import type { ExplainerParts } from './explainer.ts';
import { iso } from './message-report.ts';

/** How the name of a consumer group's cursor begins. */
const GROUP = 'group:';

/** Provides the explainer with the state of the gateway's connections. */
export function connectionsOf(parts: {
	log: Log;
	relay: Relay | undefined;
	bridges: Bridges;
	devices: Devices;
	/** What is wrong with sources and log, as texts. */
	troubles: () => (string | undefined)[];
}): Pick<ExplainerParts, 'consumers' | 'waitingBridges' | 'troubles'> {
	const { log, relay, bridges, devices } = parts;
	const unconnected = () => bridges.list().filter(({ state }) => state !== 'connected');
	return {
		consumers() {
			const cursors = [...log.cursors().keys()];
			const groups = cursors.filter((name) => name.startsWith(GROUP));
			const states: ConsumerState[] = groups.map((cursor) => ({
				cursor,
				stage: 'delivered',
				name: cursor.slice(GROUP.length),
			}));
			if (relay) states.unshift({ cursor: 'relay', stage: 'relayed', name: 'Redis', trouble: relay.awaySince() });
			for (const bridge of bridges.list()) {
				const cursor = cursorName(bridge.name);
				if (!cursors.includes(cursor)) continue;
				const trouble = bridge.state === 'connected' ? undefined : { since: bridge.since, reason: reasonOf(bridge) };
				states.push({ cursor, stage: 'bridged', name: `bridge ${bridge.name}`, trouble });
			}
			return states;
		},
		waitingBridges: () =>
			unconnected().map((bridge) => ({
				name: `bridge ${bridge.name}`,
				since: bridge.since,
				reason: reasonOf(bridge),
				queued: bridge.queued,
			})),
		troubles(about) {
			const lines = parts.troubles().filter((trouble) => trouble !== undefined);
			const away = relay?.awaySince();
			if (away) lines.push(`${away.reason}, since ${iso(away.since)}`);
			for (const bridge of unconnected())
				lines.push(`bridge ${bridge.name} has been ${bridge.state} since ${iso(bridge.since)} (${reasonOf(bridge)})`);
			for (const { id, transport, connected, lastSeen, trouble } of devices.list(({ id }) => id === about)) {
				const seen = lastSeen === 0 ? 'never seen' : `last seen ${iso(lastSeen)}`;
				const state = `${id} is ${connected ? 'connected' : 'not connected'} over ${transport}, ${seen}`;
				lines.push(trouble === undefined ? state : `${state}: ${trouble}`);
			}
			return lines;
		},
	};
}

function reasonOf({ state, lastFailure }: BridgeReport): string {
	return state === 'waiting' ? 'it is not to be connected at this time' : (lastFailure?.reason ?? state);
}

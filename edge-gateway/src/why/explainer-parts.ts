import type { Log } from '@crowdvision/log';
import type { Bridges } from '../bridge/bridges.ts';
import type { BridgeReport } from '../bridge/link/bridge-report.ts';
import { cursorName } from '../bridge/link/link.ts';
import type { Devices } from '../devices/devices.ts';
import type { Relay } from '../log/relay.ts';
import type { ConsumerState, ExplainParts } from './explain.ts';

const GROUP = 'group:';

/** What an explanation says of the gateway's connections, from what its parts say of themselves. */
export function connectionsOf(parts: {
	log: Log;
	relay: Relay | undefined;
	bridges: Bridges;
	devices: Devices;
	/** Of sources and log, in words. */
	troubles: () => (string | undefined)[];
}): Pick<ExplainParts, 'consumers' | 'waitingBridges' | 'troubles'> {
	const { log, relay, bridges, devices } = parts;
	const down = () => bridges.list().filter(({ state }) => state !== 'connected');
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
			down().map((bridge) => ({
				name: `bridge ${bridge.name}`,
				since: bridge.since,
				reason: reasonOf(bridge),
				queued: bridge.queued,
			})),
		troubles(about) {
			const told = parts.troubles().filter((trouble) => trouble !== undefined);
			const away = relay?.awaySince();
			if (away) told.push(`${away.reason}, since ${new Date(away.since).toISOString()}`);
			for (const bridge of down())
				told.push(
					`bridge ${bridge.name} is ${bridge.state} since ${new Date(bridge.since).toISOString()} (${reasonOf(bridge)})`,
				);
			for (const { id, transport, connected, lastSeen, trouble } of devices.list(({ id }) => id === about)) {
				const heard = lastSeen === 0 ? 'never heard' : `last heard ${new Date(lastSeen).toISOString()}`;
				told.push(
					`${id} is ${connected ? 'connected' : 'not connected'} over ${transport}, ${heard}${trouble === undefined ? '' : `: ${trouble}`}`,
				);
			}
			return told;
		},
	};
}

function reasonOf({ state, lastFailure }: BridgeReport): string {
	return state === 'waiting' ? 'it is not wanted for now' : (lastFailure?.reason ?? state);
}

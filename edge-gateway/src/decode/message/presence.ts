/** Sensors as a message names them: one, or all that stand behind something. */
export type Named =
	/** By id; `below`: also those whose id goes on with a dot. */
	| { kind: 'sensor'; ids: readonly string[]; below: boolean }
	/** By the topic of their readings; `below`: also those whose topic goes on below it. */
	| { kind: 'topic'; topic: string; below: boolean };

/** What a message says that is no reading: that sensors of its sender came or went. */
export interface Presence {
	state: 'online' | 'offline';
	of: Named;
}

/** Longer payloads hold more than a state. */
const MAX_BYTES = 128;
const WORDS: Readonly<Record<string, Presence['state']>> = {
	online: 'online',
	connected: 'online',
	true: 'online',
	offline: 'offline',
	disconnected: 'offline',
	false: 'offline',
};
/** The last levels of topics by which devices tell of themselves: Zigbee2MQTT; Tasmota; ESPHome; Shelly; LoRaWAN. */
const LAST_LEVELS = new Set(['availability', 'LWT', 'status', 'online', 'join']);

/**
 * Whose coming and going a topic tells of; undefined for a topic that does not. `{device}/LWT`, `{device}/status` and
 * `{device}/online` tell of everything below the device, `{device}/availability` of the one device, and
 * `{base}/bridge/state` of all that Zigbee2MQTT stands for.
 */
export function tellsOf(topic: string): Named | undefined {
	const levels = topic.split('/');
	const last = levels.pop()!;
	if (last === 'state' && levels.at(-1) === 'bridge')
		return { kind: 'topic', topic: levels.slice(0, -1).join('/'), below: true };
	if (!LAST_LEVELS.has(last) || levels.length === 0) return undefined;
	return { kind: 'topic', topic: levels.join('/'), below: last !== 'availability' };
}

/** The state in a payload: `online`, `Offline`, `{"state":"offline"}`; undefined for anything else. */
export function stateIn(raw: Buffer): Presence['state'] | undefined {
	if (raw.length > MAX_BYTES) return undefined;
	const text = raw.toString('utf8').trim();
	if (!text.startsWith('{')) return wordOf(text);
	try {
		const { state, status, online } = JSON.parse(text) as Record<string, unknown>;
		return wordOf(String(state ?? status ?? online));
	} catch {
		return undefined;
	}
}

function wordOf(text: string): Presence['state'] | undefined {
	const word = text.toLowerCase();
	return Object.hasOwn(WORDS, word) ? WORDS[word] : undefined;
}

/** Whose coming and going a message tells of, where its topic is for that and its payload says it. */
export function presenceIn(raw: Buffer, of: Named | undefined): Presence | undefined {
	const state = of && stateIn(raw);
	return state && { state, of };
}

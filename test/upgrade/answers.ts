/** Asks a running product for everything that an upgrade keeps. */
import { type FrontDoor, must } from './front-door.ts';
import type { Person, PutIn } from './put-in.ts';

/** What the product answered to a question. */
export interface Answer {
	as: Person;
	path: string;
	/** Without what passes by itself. */
	body: unknown;
}

/** Keys whose values say how old something is at this moment, or count since the start. */
const PASSING = new Set(['cursor', 'freshness', 'freshUntil', 'stale', 'suspended', 'occupancy', 'counts', 'next']);

const lasting = (value: unknown): unknown => {
	if (Array.isArray(value)) return value.map(lasting);
	if (typeof value !== 'object' || value === null) return value;
	return Object.fromEntries(
		Object.entries(value).flatMap(([key, inner]) => (PASSING.has(key) ? [] : [[key, lasting(inner)]])),
	);
};

/** Requests for what is kept: the answers of one version are compared with those of the next. */
function questions({ past: { from, to } }: PutIn): [Person, string][] {
	const window = `from=${from}&to=${to}`;
	return [
		['ada', '/auth/me'],
		['ada', '/auth/domains'],
		['ada', '/auth/domains/north/members'],
		['ada', '/auth/domains/north%2Fannex/members'],
		['ada', '/auth/domains/north/invites'],
		['ada', '/auth/domains/north/devices'],
		['ada', '/twin/buildings'],
		['ada', '/twin/buildings/lyceum'],
		['ada', '/twin/buildings/lyceum/thresholds'],
		['ada', '/twin/buildings/lyceum/columns'],
		['ada', '/twin/buildings/lyceum/sensors'],
		['ada', '/twin/buildings/lyceum/state'],
		['ada', `/twin/buildings/lyceum/history?room=hall&metric=temperature&${window}&bucket=12h&agg=avg`],
		['ada', `/twin/buildings/lyceum/history?room=lab&metric=co2&${window}&bucket=12h&agg=max`],
		['ada', `/twin/buildings/lyceum/history?metric=temperature&${window}&bucket=1d&agg=count`],
		['ada', '/notification/alerts'],
		['ada', '/llm/conversations'],
		['ada', '/gateway/rejected?state=all'],
		['ada', '/gateway/rooms/lyceum/lab/audit'],
		['ben', '/auth/me'],
		['ben', '/auth/domains'],
		['ben', '/auth/domains/south/members'],
		['ben', '/twin/buildings'],
		['ben', '/twin/buildings/mill/thresholds'],
		['ben', '/twin/buildings/mill/columns'],
		['ben', '/twin/buildings/mill/state'],
		['ben', `/twin/buildings/mill/history?room=loft&metric=humidity&${window}&bucket=12h&agg=avg`],
		['ben', '/notification/alerts'],
		['cleo', '/auth/me'],
		['cleo', '/twin/buildings'],
		['cleo', '/notification/alerts'],
	];
}

/** Asks all of it. */
export async function takeAnswers(door: FrontDoor, putIn: PutIn): Promise<Answer[]> {
	const answers: Answer[] = [];
	for (const [as, path] of questions(putIn)) {
		const { token } = putIn.accounts[as];
		answers.push({ as, path, body: lasting(await must(door, 'GET', path, { token })) });
	}
	return answers;
}

import { escapeKey, type Problem, unseenProblem } from '@crowdvision/contracts';

/** The options whose values are names or ids. An empty one is a matter of the schema. */
const NAMED = new Set([
	'gatewayId',
	'buildingId',
	'roomId',
	'sensorId',
	'name',
	'username',
	'clientId',
	'key',
	'topic',
	'path',
	'metric',
]);

/** The names and keys in gateway.yaml that nobody can read: blank ones, and those with invisible marks. */
export function unseenNames(value: unknown, path: string): Problem[] {
	if (typeof value !== 'object' || value === null) return [];
	return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
		const at = `${path}/${escapeKey(key)}`;
		const ofKey = key === '' || key.trim() === '' ? 'must have a key that is not blank' : undefined;
		const ofValue = typeof inner === 'string' && inner !== '' && NAMED.has(key) ? unseenProblem(inner) : undefined;
		const problems = [ofKey, ofValue].flatMap((message) => (message === undefined ? [] : [{ path: at, message }]));
		return [...problems, ...unseenNames(inner, at)];
	});
}

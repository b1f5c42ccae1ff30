import type { DeviceList, DeviceStatus, QuarantinedSensor, SensorPlace } from '@crowdvision/contracts';
import { SettingsError } from '@crowdvision/service-kit';
import { askGateway, controlSocketPath } from './control-socket.ts';

/**
 * `npm run gateway -- devices`: what is connected, and which sensors wait to be adopted. Returns what to print. @throws
 * SettingsError where no gateway runs.
 */
export async function listDevices(dataDir: string, options: readonly string[]): Promise<string> {
	if (options.length > 0) throw new SettingsError('usage: npm run gateway -- devices');
	const { devices, quarantined } = (await ask(dataDir, '/devices')) as DeviceList;
	const connected = devices.filter((device) => device.connected);
	const away = devices.filter((device) => !device.connected);
	return lines([
		connected.length === 0 ? 'No device is connected.' : 'Connected:',
		...connected.map(spelled),
		...(away.length === 0 ? [] : ['', 'Not connected:', ...away.map(spelled)]),
		'',
		quarantined.length === 0 ? 'No sensor is in quarantine.' : 'In quarantine, as nobody has said where they stand:',
		...quarantined.flatMap(waiting),
		...(quarantined.length === 0
			? []
			: ['', 'To give one its room: npm run gateway -- adopt <sensor> <building> <room>']),
	]);
}

/**
 * `npm run gateway -- adopt <sensor> <building> <room>`. Returns what to print. @throws SettingsError with what speaks
 * against it, and where no gateway runs.
 */
export async function adoptSensor(dataDir: string, options: readonly string[]): Promise<string> {
	const [sensorId, buildingId, roomId] = options;
	if (!sensorId || !buildingId || !roomId || options.length > 3)
		throw new SettingsError('usage: npm run gateway -- adopt <sensor> <building> <room>');
	const placed = (await ask(dataDir, `/adopt?${new URLSearchParams({ sensorId, buildingId, roomId })}`)) as SensorPlace;
	return lines([
		`${placed.sensorId} is in ${placed.buildingId}/${placed.roomId} from now on.`,
		'What was refused of it before is still in the rejected list, and can be taken in again (POST /gateway/rejected/replay).',
	]);
}

async function ask(dataDir: string, asked: string): Promise<unknown> {
	const answer = await askGateway(controlSocketPath(dataDir), asked);
	if (answer === undefined) throw new SettingsError(`no gateway runs on ${dataDir}; start it first: npm run gateway`);
	return answer;
}

function spelled({ id, domainName, transport, lastSeen, readings, trouble }: DeviceStatus): string {
	const of = domainName === undefined ? '' : ` of ${domainName}`;
	const heard = lastSeen === 0 ? 'never heard' : `last heard ${iso(lastSeen)}, ${counted(readings, 'reading')}`;
	return `  ${id}${of} over ${transport}: ${heard}${trouble === undefined ? '' : `; ${trouble}`}`;
}

function waiting({
	sensorId,
	sender,
	domainName,
	transport,
	source,
	firstSeen,
	lastSeen,
	count,
	metric,
	sample,
}: QuarantinedSensor): string[] {
	const from = sender === source ? source : `${sender} by ${source}`;
	return [
		`  ${sensorId}${metric === undefined ? '' : ` (${metric})`}: ${counted(count, 'message')} from ${iso(firstSeen)} to ${iso(lastSeen)}`,
		`    sent over ${transport} from ${from}${domainName === undefined ? '' : ` of ${domainName}`}`,
		`    last: ${sample}`,
	];
}

const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;
const iso = (at: number) => new Date(at).toISOString();
const lines = (parts: readonly string[]) => `${parts.join('\n')}\n`;

import type { DeviceList, DeviceStatus, QuarantinedSensor, SensorPlace } from '@crowdvision/contracts';
import { askControlSocket, SettingsError } from '@crowdvision/service-kit';
import { controlSocketPath } from './control-path.ts';

/**
 * `npm run gateway -- devices`: lists connected devices and sensors that wait to be adopted. Returns the text to print.
 * @throws SettingsError if no gateway runs
 */
export async function listDevices(dataDir: string, options: readonly string[]): Promise<string> {
	if (options.length > 0) throw new SettingsError('usage: npm run gateway -- devices');
	const { devices, quarantined } = await wholeList(dataDir);
	const connected = devices.filter((device) => device.connected);
	const away = devices.filter((device) => !device.connected);
	return textOf([
		connected.length === 0 ? 'No device is connected.' : 'Connected:',
		...connected.map(deviceLine),
		...(away.length === 0 ? [] : ['', 'Not connected:', ...away.map(deviceLine)]),
		'',
		quarantined.length === 0 ? 'No sensor is in quarantine.' : 'In quarantine, as their place is not known:',
		...quarantined.flatMap(quarantineLines),
		...(quarantined.length === 0
			? []
			: ['', 'To give one its room: npm run gateway -- adopt <sensor> <building> <room>']),
	]);
}

/**
 * `npm run gateway -- adopt <sensor> <building> <room>`: gives a sensor its place. Returns the text to print.
 * @throws SettingsError with the gateway's reason if it refuses, or if no gateway runs
 */
export async function adoptSensor(dataDir: string, options: readonly string[]): Promise<string> {
	const [sensorId, buildingId, roomId] = options;
	if (!sensorId || !buildingId || !roomId || options.length > 3)
		throw new SettingsError('usage: npm run gateway -- adopt <sensor> <building> <room>');
	const placed = (await ask(dataDir, `/adopt?${new URLSearchParams({ sensorId, buildingId, roomId })}`)) as SensorPlace;
	return textOf([
		`${placed.sensorId} is in ${placed.buildingId}/${placed.roomId} from now on.`,
		'Its readings that were refused before are in the rejected list; POST /gateway/rejected/replay takes them in.',
	]);
}

/** All pages of the list of devices. */
async function wholeList(dataDir: string): Promise<Pick<DeviceList, 'devices' | 'quarantined'>> {
	const whole: Pick<DeviceList, 'devices' | 'quarantined'> = { devices: [], quarantined: [] };
	for (let cursor: string | undefined; ; ) {
		const query = cursor === undefined ? '' : `?${new URLSearchParams({ cursor })}`;
		const { devices, quarantined, nextCursor } = (await ask(dataDir, `/devices${query}`)) as DeviceList;
		whole.devices.push(...devices);
		whole.quarantined.push(...quarantined);
		if (nextCursor === undefined) return whole;
		cursor = nextCursor;
	}
}

async function ask(dataDir: string, requested: string): Promise<unknown> {
	const answer = await askControlSocket(controlSocketPath(dataDir), requested);
	if (answer === undefined) throw new SettingsError(`no gateway runs on ${dataDir}; start it first: npm run gateway`);
	return answer;
}

function deviceLine({ id, domainName, transport, lastSeen, readings, trouble }: DeviceStatus): string {
	const owner = domainName === undefined ? '' : ` of ${domainName}`;
	const activity = lastSeen === 0 ? 'never heard' : `last heard ${iso(lastSeen)}, ${counted(readings, 'reading')}`;
	return `  ${id}${owner} over ${transport}: ${activity}${trouble === undefined ? '' : `; ${trouble}`}`;
}

function quarantineLines(sensor: QuarantinedSensor): string[] {
	const { sensorId, sender, domainName, transport, source, firstSeen, lastSeen, count, metric, sample } = sensor;
	const from = sender === source ? source : `${sender} by ${source}`;
	const period = `${counted(count, 'message')} from ${iso(firstSeen)} to ${iso(lastSeen)}`;
	return [
		`  ${sensorId}${metric === undefined ? '' : ` (${metric})`}: ${period}`,
		`    sent over ${transport} from ${from}${domainName === undefined ? '' : ` of ${domainName}`}`,
		`    last: ${sample}`,
	];
}

const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;
const iso = (at: number) => new Date(at).toISOString();
const textOf = (lines: readonly string[]) => `${lines.join('\n')}\n`;

import { join, relative } from 'node:path';
import { DEMO_BUILDING, VISITOR_ROOM } from './building.ts';

/**
 * One command per transport that sends a reading, to paste into a shell in the project's folder. The commands read the
 * token from its file; it is never printed.
 */
export function examples({
	http,
	mqtt,
	dataDir,
	deviceId,
	serial,
}: {
	http: string;
	mqtt: string;
	dataDir: string;
	deviceId: string;
	serial: string | undefined;
}): string[] {
	const token = `"$(cat ${join(dataDir, 'demo', 'token')})"`;
	const [, host = '', port = ''] = /^mqtt:\/\/\[?([^\]]+?)\]?:(\d+)$/.exec(mqtt) ?? [];
	const hostname = host.replace('%25', '%');
	const buildingId = DEMO_BUILDING.id;
	const place = `"buildingId":"${buildingId}","roomId":"${VISITOR_ROOM}"`;
	const reading = (sensorId: string, metric: string, value: number, more = '') =>
		`{"sensorId":"${sensorId}","metric":"${metric}","value":${value},${place}${more}}`;
	const lines = [
		'Send a reading over HTTP:',
		`  curl -s ${http.includes('[') ? '-g ' : ''}${http}/ingest ` +
			`-H "Authorization: Bearer $(cat ${join(dataDir, 'demo', 'token')})" ` +
			`-H 'Content-Type: application/json' -d '${reading('my-http', 'peopleCount', 4)}'`,
		'over MQTT:',
		`  mosquitto_pub -h ${hostname} -p ${port} -u ${deviceId} -P ${token} -q 1 ` +
			`-t telemetry/${buildingId}/${VISITOR_ROOM}/my-mqtt/temperature -m 21.5`,
		'over Socket.IO:',
		`  TOKEN=${token} node --input-type=module -e "import { io } from 'socket.io-client'; ` +
			`const s = io('${http}', { path: '/ingest/socket.io', auth: { token: process.env.TOKEN } }); ` +
			`s.emit('reading', ${reading('my-socket', 'humidity', 45).replaceAll('"', "'")}, ` +
			`(answer) => { console.log(answer); s.close(); })"`,
	];
	if (serial) {
		const port = relative(process.cwd(), serial) || serial;
		lines.push('over a serial line:', `  printf '%s\\n' '${reading('my-serial', 'co2', 640, ',"seq":1')}' > ${port}`);
	}
	return lines;
}

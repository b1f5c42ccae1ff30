/** What of a JSON Schema is looked at here. */
interface Schema {
	title?: string;
	description?: string;
	type?: string;
	enum?: readonly unknown[];
	const?: unknown;
	default?: unknown;
	examples?: readonly unknown[];
	pattern?: string;
	minimum?: number;
	properties?: Record<string, Schema>;
	patternProperties?: Record<string, Schema>;
	items?: Schema;
	anyOf?: readonly Schema[];
}

const WIDTH = 120;
const INDENT = 2;
/** What no default and no description tells, by path. */
const EXAMPLES: Readonly<Record<string, unknown>> = {
	gatewayId: 'pi-north-door',
	'sources.serial.path': '/dev/serial/by-id/usb-1a86_USB_Serial-if00-port0',
	'sources.serial.usb.vendorId': '1a86',
	'sources.serial.usb.productId': '7523',
	'sources.serial.identify.device': 'north-door',
	'sources.serial.identify.answer': '^HELLO (\\S+)$',
	'sources.serial.framing': 'csv',
	'sources.serial.csv.delimiter': ';',
	'sources.serial.csv.columns': ['sensorId', 'peopleCount', 'seq'],
	'decoders.topic': 'acme/+/uplink',
	'decoders.use': 'jsonata',
	'decoders.mapping': '{"sensorId": id, "metric": "peopleCount", "value": n}',
	'decoders.path': 'acme',
	'decoders.codec': 'acme-counter.js',
	'decoders.variables': { model: 'x2' },
	'decoders.rename': { vbat: { metric: 'battery', scale: 100 } },
	'metrics.key': 'voltage',
	'metrics.unit': 'V',
	'metrics.max': 60,
	'metrics.name.en': 'Voltage',
	'metrics.name.it': 'Tensione',
	'devices.allow': ['door-*'],
	'devices.deny': ['door-99'],
	'redis.url': 'redis://localhost:6379',
	'bridges.name': 'campus',
	'bridges.url': 'mqtts://broker.example:8883',
	'bridges.urls': ['mqtts://broker.example:8883', 'mqtts://broker-2.example:8883'],
	'sources.serial.silentAfter': '10m',
	'occupancy.nightlyReset': '04:00',
	'occupancy.quietFor': '6h',
	'occupancy.timeZone': 'Europe/Rome',
	'occupancy.rooms.nightlyReset': '02:00',
	'occupancy.rooms.quietFor': '3h',
	'occupancy.doors.bias': 0.05,
	'occupancy.doors.missRate': 0.02,
	'occupancy.doors.between.from': 'hall',
	'occupancy.doors.between.to': 'lab',
	'occupancy.doors.counter': 'cumulative',
	'occupancy.doors.wrapAt': 65_536,
	'bridges.clientId': 'pi-north-door.campus',
	'bridges.schedule.from': '22:30',
	'bridges.schedule.to': '05:00',
	'bridges.topics.pattern': 'telemetry/#',
	'bridges.topics.remotePrefix': 'site-a/',
};
const HEAD = `\
## gateway.yaml with every option there is. All are optional, and all are commented out here: take what you need.
## Lines that begin with ## say what an option is for; in the others the value is the default, or an example.
## The environment wins over this file. A change is taken while the gateway runs; check it first with
##     npm run gateway -- check
## Made by \`node scripts/docs.ts\` from the schema that validates (gateway.schema.json). Do not edit.
`;

/**
 * A commented gateway.yaml with every option of `schema`. Options in `instead` (dotted paths) cannot stand beside
 * others, and are only told of.
 */
export function gatewayExample(schema: Schema, instead: ReadonlySet<string>): string {
	return `${HEAD}${Object.entries(schema.properties ?? {})
		.map(([key, option]) => `\n${lines(key, option, key, instead, WIDTH).join('\n')}\n`)
		.join('')}`;
}

/** The lines of one option, without indentation, none wider than `width` columns where a blank can end it. */
function lines(key: string, schema: Schema, path: string, instead: ReadonlySet<string>, width: number): string[] {
	const told = prose(schema);
	const inner = schema.anyOf?.[0] ?? schema;
	const item = inner.items?.anyOf?.[0] ?? inner.items;
	if (instead.has(path))
		return [...wrap(`instead: ${key}: ${value({ ...schema, ...inner }, path)}${told && `   ${told}`}`, width)];
	const head = told ? wrap(told, width) : [];
	const options =
		inner.properties ?? (inner.patternProperties && { example: Object.values(inner.patternProperties)[0]! });
	if (options && Object.keys(options).length > 0 && inner.examples === undefined)
		return [...head, `# ${key}:`, ...below(options, path, instead, width - INDENT)];
	if (item?.properties && inner.examples === undefined) {
		return [...head, `# ${key}:`, ...asItem(below(item.properties, path, instead, width - 2 * INDENT))];
	}
	return [...head, `# ${key}: ${value({ ...schema, ...inner }, path)}`];
}

function below(options: Record<string, Schema>, path: string, instead: ReadonlySet<string>, width: number): string[] {
	return Object.entries(options).flatMap(([key, option]) =>
		lines(key, option, `${path}.${key}`, instead, width).map(indented),
	);
}

/** `INDENT` columns to the right, behind the sign of a comment. */
const indented = (line: string) => line.replace(/^(##? )/, '$1  ');

/** The lines of an object as the one item of a list. */
function asItem(options: string[]): string[] {
	const first = options.findIndex((line) => line.startsWith('# '));
	return options.map((line, index) => (index === first ? line.replace(/^# {3}/, '#   - ') : indented(line)));
}

function prose({ title, description, default: fallback, enum: choices, anyOf }: Schema): string {
	const parts = [title, description ?? anyOf?.map((one) => one.description).find((one) => one !== undefined)];
	if (choices) parts.push(`one of ${choices.join(', ')}`);
	if (fallback !== undefined && typeof fallback !== 'object') parts.push(`default ${literal(fallback)}`);
	return parts.filter((part) => part !== undefined).join('; ');
}

/** A default as text; quoted where it holds more than letters, digits and a few signs. */
function literal(fallback: unknown): string {
	return typeof fallback === 'string' && !/^[\w.+-]+$/.test(fallback) ? JSON.stringify(fallback) : String(fallback);
}

function value(schema: Schema, path: string): string {
	const inner = schema.anyOf?.[0] ?? schema;
	const known =
		EXAMPLES[path] ?? inner.examples?.[0] ?? schema.default ?? inner.default ?? inner.const ?? inner.enum?.[0];
	if (known !== undefined) return JSON.stringify(known);
	if (inner.type === 'array') return inner.items ? `[${value(inner.items, `${path}.*`)}]` : '[]';
	if (inner.type === 'object') {
		const options = Object.entries(inner.properties ?? {}).map(
			([key, option]) => `${key}: ${value(option, `${path}.${key}`)}`,
		);
		return `{${options.join(', ')}}`;
	}
	if (inner.type === 'boolean') return 'true';
	if (inner.type === 'integer' || inner.type === 'number') return String(inner.minimum ?? 0);
	return JSON.stringify(
		/such as ([^\s,;]+?)[:.]?(?:[\s,;]|$)/.exec(schema.description ?? '')?.[1]?.replace(/^"|"$/g, '') ?? 'name',
	);
}

function wrap(text: string, width: number): string[] {
	const wrapped: string[] = [];
	let line = '##';
	for (const word of text.split(/\s+/)) {
		if (line.length + word.length >= width) {
			wrapped.push(line);
			line = '##';
		}
		line += ` ${word}`;
	}
	return [...wrapped, line];
}

/** What may have happened to a message, for `why` and `GET /gateway/trace`: its meaning, and what to do. */
export const VERDICTS = {
	not_received: {
		means: 'It has not reached the gateway.',
		todo:
			'Check the device: its power, the address of the gateway that it uses, its topic. ' +
			'`npm run gateway -- devices` lists what is connected.',
	},
	bad_frame: {
		means: 'The port received bytes that are not a frame.',
		todo: 'Check baud rate, cable and framing of the port; the bytes are shown in hex.',
	},
	not_decoded: {
		means: 'It arrived, but could not be decoded.',
		todo: 'Check what was sent; if it is another format, add a rule to `decoders`.',
	},
	unknown_topic: {
		means: 'It arrived on a topic that is not for readings.',
		todo:
			'Publish to telemetry/{buildingId}/{roomId}/{sensorId}, or add a rule for the topic to `decoders`; then replay ' +
			'it.',
	},
	no_reading: {
		means: 'It was decoded, but contains no reading.',
		todo: 'Nothing, unless it should contain one: then check its decoder or mapping.',
	},
	presence: {
		means: 'It reports that a device is online or offline, and its sensors are shown so.',
		todo: 'Nothing. A sensor that is offline is online again with the birth of its device, or with its next reading.',
	},
	invalid_reading: {
		means: 'A value in it breaks a rule. What else the message held was taken, unless it is an array.',
		todo:
			'Correct what the reason names. Where the device cannot be changed, `rename` in the rule of its decoder ' +
			'converts a value. Other figures of the same message need nothing.',
	},
	no_value: {
		means: 'It says itself that nothing was measured: null, nan, unavailable, or an empty text.',
		todo: 'Look at the sensor: a loose wire, an empty battery, or still warming up. The gateway misses nothing.',
	},
	unknown_field: {
		means: 'It holds what looks like a measure, under keys that no rule reads.',
		todo: 'Add `rename` to its rule in `decoders`, and metrics that are not in the catalog to `metrics`.',
	},
	unknown_device: {
		means: 'It does not name its room, and the sensor is not registered: the sensor is quarantined.',
		todo:
			'Adopt the sensor (npm run gateway -- adopt <sensor> <building> <room>, or ' +
			'POST /gateway/devices/{sensorId}/adopt) or register it; then replay the refused messages.',
	},
	not_allowed: {
		means: 'Its sender may not send it.',
		todo: 'Give the device a valid token that covers its building and sensor.',
	},
	duplicate: { means: 'It arrived before, and was acknowledged like the original.', todo: 'Nothing.' },
	rate_limited: {
		means: 'Its sender was too fast, and has to send it again.',
		todo: 'Find out why it sends so much, or raise limits.messagesPerSecond.',
	},
	overflow: {
		means: 'There was no room for it: the log was full, or dropped it.',
		todo:
			'Find the consumer that is behind (gateway_cursor_queued); log.maxBytes, log.maxAge and log.whenFull decide ' +
			'what happens when the log is full.',
	},
	damaged: {
		means: 'It was stored, and lost by damage of the disk.',
		todo: 'Check the incidents in the log, and the SD card.',
	},
	disk: {
		means: 'The disk refused it, and its sender has to send it again.',
		todo: 'Check the disk: it is full or broken.',
	},
	redis_away: {
		means: 'It is stored and waits for Redis.',
		todo: 'Nothing is lost until the log is full. Check Redis, and the network to it.',
	},
	bridge_down: {
		means: 'It is stored and waits for a bridge.',
		todo: 'Nothing is lost until the log is full. Check the remote broker, and the network to it.',
	},
	on_its_way: {
		means: 'It is stored, but not every consumer has it yet.',
		todo: 'Ask again in a moment; if it stays so, check that consumer.',
	},
	late: {
		means: 'It was delivered, but observed long before it arrived: it is in the history, but not the live value.',
		todo: 'Find out why the device sends late, and check its clock.',
	},
	delivered: { means: 'Every consumer has it.', todo: 'Nothing.' },
} as const satisfies Record<string, { means: string; todo: string }>;

export type Verdict = keyof typeof VERDICTS;

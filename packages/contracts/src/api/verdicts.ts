/**
 * What may have become of a message, as `why` and `GET /gateway/trace` name it: what it means, and what to do about it.
 */
export const VERDICTS = {
	not_received: {
		means: 'Nothing of it has reached the gateway.',
		todo: 'Look at the device: its power, its address for the gateway, its topic. `npm run gateway -- devices` lists what is connected.',
	},
	bad_frame: {
		means: 'Bytes came over the line that are no frame.',
		todo: 'Look at baud rate, cable and framing of the port; the bytes are shown in hex.',
	},
	not_decoded: {
		means: 'It came, and could not be read.',
		todo: 'Look at what was sent; where it is another format, add a rule to `decoders`.',
	},
	unknown_topic: {
		means: 'It came by a topic that no readings come by.',
		todo: 'Publish to telemetry/{buildingId}/{roomId}/{sensorId}, or add a rule for the topic to `decoders`; then replay it.',
	},
	no_reading: {
		means: 'It was understood, and holds no reading.',
		todo: 'Nothing, unless it should: then look at its decoder or mapping.',
	},
	invalid_reading: { means: 'A value in it breaks a rule.', todo: 'Mend what the reason names.' },
	unknown_device: {
		means: 'It does not say its room, and the sensor is not registered: it is in quarantine.',
		todo: 'Adopt the sensor (npm run gateway -- adopt <sensor> <building> <room>, or POST /gateway/devices/{sensorId}/adopt) or register it; then replay what was refused.',
	},
	not_allowed: {
		means: 'Its sender may not send it.',
		todo: 'Give the device a token that covers its building and sensor, and that is not revoked.',
	},
	duplicate: { means: 'It was here before, and was acknowledged like its original.', todo: 'Nothing.' },
	rate_limited: {
		means: 'Its sender was too fast, and was told to come again.',
		todo: 'Look why it sends so much, or raise limits.messagesPerSecond.',
	},
	overflow: {
		means: 'There was no room for it: the log was full, or gave it up.',
		todo: 'Look who does not read on (gateway_cursor_queued); log.maxBytes, log.maxAge and log.whenFull decide what happens then.',
	},
	damaged: {
		means: 'It was stored, and is lost by damage of the disk.',
		todo: 'Look at the incidents in the log, and at the SD card.',
	},
	disk: {
		means: 'The disk refused it, and its sender was told to come again.',
		todo: 'Look at the disk: full, or broken.',
	},
	redis_away: {
		means: 'It is stored, and waits for Redis.',
		todo: 'Nothing is lost until the log is full. Look at Redis, and at the way to it.',
	},
	bridge_down: {
		means: 'It is stored, and waits for a bridge.',
		todo: 'Nothing is lost until the log is full. Look at the remote broker, and at the way to it.',
	},
	on_its_way: {
		means: 'It is stored, and not everybody has it yet.',
		todo: 'Look again in a moment; where it stays so, look at that consumer.',
	},
	late: {
		means: 'It was delivered, but observed long before it came: it is in the history, and is not the live value.',
		todo: 'Look why the device sends late, or at its clock.',
	},
	delivered: { means: 'Everybody has it.', todo: 'Nothing.' },
} as const satisfies Record<string, { means: string; todo: string }>;

export type Verdict = keyof typeof VERDICTS;

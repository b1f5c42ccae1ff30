import { onTestFinished } from 'vitest';
import { Uplink, type UplinkOptions } from '../device/uplink.ts';
import { Faults } from '../faults.ts';
import type { Link } from '../links/link.ts';
import { SILENT } from '../logger.ts';

/** Starts an uplink with short retries; it is stopped after the running test. */
export function startUplink(link: Link, options: Partial<UplinkOptions> = {}): Uplink {
	const uplink = new Uplink(link, {
		bufferSize: 1000,
		ackTimeoutMs: 5_000,
		retry: { firstMs: 20, longestMs: 200 },
		faults: new Faults(),
		logger: SILENT,
		onAcknowledged: () => {},
		...options,
	});
	onTestFinished(() => uplink.stop());
	uplink.start();
	return uplink;
}

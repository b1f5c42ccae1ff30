import type { GatewayConfig } from '../configuration/gateway-config.ts';
import { CodecRunner } from '../decode/codec/codec-runner.ts';
import { tryCodecs } from '../decode/codec/try-codecs.ts';

/**
 * `npm run gateway -- check`: what cannot be seen in the text of a configuration that is valid so far. Returns the text
 * to print.
 * @throws SettingsError with every mistake
 */
export async function check({ decoders }: GatewayConfig): Promise<string> {
	const runner = new CodecRunner();
	try {
		await tryCodecs(
			decoders.flatMap(({ codecFile }) => codecFile ?? []),
			runner,
		);
	} finally {
		await runner.close();
	}
	return 'the configuration is valid\n';
}

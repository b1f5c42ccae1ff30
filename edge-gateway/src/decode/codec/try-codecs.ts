/** Tries the codecs of a configuration before they are used. */
import { SettingsError } from '@crowdvision/service-kit';
import type { CodecFile } from './codec-file.ts';
import type { CodecRunner } from './codec-runner.ts';

/**
 * Loads each codec in the sandbox, without a message.
 * @throws SettingsError with a line for each codec that does not load there
 */
export async function tryCodecs(codecs: Iterable<CodecFile>, runner: CodecRunner): Promise<void> {
	const mistakes: string[] = [];
	for (const codec of codecs) {
		const answer = await runner.run({ codec });
		if ('failed' in answer) mistakes.push(`the codec ${codec.name} cannot be used: ${answer.failed}`);
	}
	if (mistakes.length > 0) throw new SettingsError(mistakes.join('\n'));
}

import { join, resolve } from 'node:path';
import { type Logger, readSettings, SettingsError } from '@crowdvision/service-kit';
import {
	GATEWAY_SETTINGS,
	type GatewayConfig,
	gatewayConfigOf,
	gatewayFilePath,
	readGatewayConfig,
	readGatewayFile,
} from './gateway-config.ts';
import { KeptConfiguration } from './kept-configuration.ts';
import { type Configurable, type Configuration, LiveConfiguration } from './live-configuration.ts';
import { filesOf } from './named-files.ts';

/** The configuration of a start, and how it is followed from then on. */
export interface StartedConfiguration {
	config: GatewayConfig;
	/** What another file would mean here. @throws SettingsError */
	read(file: string): GatewayConfig;
	/**
	 * Follows gateway.yaml and the files it names. `adapt` adds to a configuration what the composition has of its own.
	 */
	follow(target: Configurable, logger: Logger, adapt?: (config: GatewayConfig) => GatewayConfig): LiveConfiguration;
}

/**
 * Reads the environment and gateway.yaml. A gateway that has worked before does not stay down for a gateway.yaml that
 * has mistakes, or was taken back: it starts with the text that worked, and says so.
 * @throws SettingsError with every mistake, where there is nothing that worked.
 */
export function startConfiguration(env: NodeJS.ProcessEnv): StartedConfiguration {
	const parse = (text: string) => gatewayConfigOf(env, text);
	const dataDir = dataDirOf(env);
	const kept = dataDir === undefined ? undefined : KeptConfiguration.open(join(dataDir, 'gateway', 'configuration'));
	const { inForce, insteadOf } = chosen(env, parse, kept);
	return {
		config: inForce.config,
		read: (file) => readGatewayConfig({ ...env, GATEWAY_CONFIG: file }),
		follow(target, logger, adapt = (config) => config) {
			if (insteadOf !== undefined)
				logger.error(
					{ reasons: insteadOf.split('\n') },
					'configuration: gateway.yaml is not in force; the last that worked is',
				);
			return LiveConfiguration.follow({
				path: resolve(gatewayFilePath(env)),
				inForce,
				insteadOf,
				read: () => readGatewayFile(env),
				parse: (text) => adapt(parse(text)),
				filesOf,
				kept: kept!,
				target,
				logger,
			});
		},
	};
}

function chosen(
	env: NodeJS.ProcessEnv,
	parse: (text: string) => GatewayConfig,
	kept: KeptConfiguration | undefined,
): { inForce: Configuration; insteadOf?: string | undefined } {
	let text = '';
	let config: GatewayConfig | undefined;
	let mistake: SettingsError | undefined;
	try {
		text = readGatewayFile(env);
		config = parse(text);
	} catch (error) {
		if (!(error instanceof SettingsError)) throw error;
		mistake = error;
	}
	const choice = kept?.choose(text, mistake?.message, Date.now());
	if (choice?.insteadOf !== undefined) {
		try {
			return { inForce: { text: choice.text, config: parse(choice.text) }, insteadOf: choice.insteadOf };
		} catch {
			// What worked does not any more: the environment is another one, or a file that it names is gone.
		}
	}
	if (!config) throw mistake!;
	return { inForce: { text, config } };
}

/** Undefined where the environment has mistakes, which reading the rest then tells. */
function dataDirOf(env: NodeJS.ProcessEnv): string | undefined {
	try {
		return readSettings({ DATA_DIR: GATEWAY_SETTINGS.DATA_DIR }, env).DATA_DIR;
	} catch {
		return undefined;
	}
}

/** Chooses the configuration that the gateway starts with. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Logger, makeFolder, readSettings, SettingsError } from '@crowdvision/service-kit';
import { type ProcessLock, takeProcessLock } from '@crowdvision/service-kit/process-lock';
import { ConfigurationHistory } from './configuration-history.ts';
import {
	GATEWAY_SETTINGS,
	type GatewayConfig,
	gatewayConfigOf,
	gatewayFilePath,
	readGatewayConfig,
	readGatewayFile,
} from './gateway-config.ts';
import { type Configurable, type Configuration, LiveConfiguration } from './live-configuration.ts';
import { filesOf } from './named-files.ts';

/** The configuration that the gateway starts with, and how it is followed after that. */
export interface StartedConfiguration {
	config: GatewayConfig;
	/** That no other process uses the gateway's folder; release it after everything else. */
	lock: ProcessLock;
	/** What another file would mean here. @throws SettingsError */
	read(file: string): GatewayConfig;
	/**
	 * Follows gateway.yaml and the files it names.
	 * @param adapt adds what the composition has of its own
	 */
	follow(target: Configurable, logger: Logger, adapt?: (config: GatewayConfig) => GatewayConfig): LiveConfiguration;
}

/**
 * Locks the gateway's folder, and reads the environment and gateway.yaml. If the file has mistakes, or was undone, a
 * gateway that has worked before starts with the text that worked, and reports that.
 * @throws SettingsError with every mistake, if no text has worked before; Error that names the process which uses the
 * folder
 */
export function startConfiguration(env: NodeJS.ProcessEnv): StartedConfiguration {
	const parse = (text: string) => gatewayConfigOf(env, text);
	const dataDir = dataDirOf(env);
	const folder = dataDir === undefined ? undefined : join(dataDir, 'gateway');
	// Before the history is read: a second process would take the trial of the first for one that the gateway did not
	// survive. A mistake leaves no folder behind where there was none.
	let lock = folder !== undefined && existsSync(folder) ? lockFolder(folder) : undefined;
	const history = folder === undefined ? undefined : ConfigurationHistory.open(join(folder, 'configuration'));
	const { inForce, insteadOf } = choose(env, parse, history);
	lock ??= lockFolder(folder!);
	return {
		config: inForce.config,
		lock,
		read: (file) => readGatewayConfig({ ...env, GATEWAY_CONFIG: file }),
		follow(target, logger, adapt = (config) => config) {
			if (insteadOf !== undefined)
				logger.error(
					{ reasons: insteadOf.split('\n') },
					'configuration: gateway.yaml is not in force; the last one that worked is',
				);
			return LiveConfiguration.follow({
				path: resolve(gatewayFilePath(env)),
				inForce,
				insteadOf,
				read: () => readGatewayFile(env),
				parse: (text) => adapt(parse(text)),
				filesOf,
				history: history!,
				target,
				logger,
			});
		},
	};
}

function choose(
	env: NodeJS.ProcessEnv,
	parse: (text: string) => GatewayConfig,
	history: ConfigurationHistory | undefined,
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
	const choice = history?.choose(text, mistake?.message, Date.now());
	if (choice?.insteadOf !== undefined) {
		try {
			return { inForce: { text: choice.text, config: parse(choice.text) }, insteadOf: choice.insteadOf };
		} catch {
			// What worked before no longer does: the environment has changed, or a file that it names is gone.
		}
	}
	if (!config) throw mistake!;
	return { inForce: { text, config } };
}

function lockFolder(folder: string): ProcessLock {
	makeFolder(folder);
	return takeProcessLock(join(folder, 'lock'), folder);
}

/** Undefined if the environment has mistakes, which reading the rest of it reports. */
function dataDirOf(env: NodeJS.ProcessEnv): string | undefined {
	try {
		return readSettings({ DATA_DIR: GATEWAY_SETTINGS.DATA_DIR }, env).DATA_DIR;
	} catch {
		return undefined;
	}
}

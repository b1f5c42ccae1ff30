/** gateway.yaml as the composition sees it: followed while the gateway runs, and read for a dry run. */
import { type ConfigurationStatus, CrowdVisionError } from '@crowdvision/contracts';
import type { Logger } from '@crowdvision/service-kit';
import type { GatewayConfig } from '../configuration/gateway-config.ts';
import type { Configurable, LiveConfiguration } from '../configuration/live-configuration.ts';
import type { StartedConfiguration } from '../configuration/start.ts';

/** What a composition adds to a configuration, such as the ports of the demo. */
export type Adapt = (config: GatewayConfig) => GatewayConfig;

/** gateway.yaml as the gateway runs with it: as it was at the start, and as it is in force once it is followed. */
export class FollowedConfiguration {
	readonly #started: GatewayConfig;
	#live: LiveConfiguration | undefined;
	#readFile: ((file: string) => GatewayConfig) | undefined;

	constructor(started: GatewayConfig) {
		this.#started = started;
	}

	/** What is in force. */
	get config(): GatewayConfig {
		return this.#live?.config ?? this.#started;
	}

	/** Undefined while gateway.yaml is not followed. */
	get status(): ConfigurationStatus | undefined {
		return this.#live?.status;
	}

	/**
	 * What another file would mean on this machine.
	 * @throws SettingsError with its mistakes; CrowdVisionError `unavailable` while gateway.yaml is not followed
	 */
	read(file: string): GatewayConfig {
		if (!this.#readFile)
			throw new CrowdVisionError('unavailable', 'The gateway is starting; try again in a moment', {}, 1);
		return this.#readFile(file);
	}

	/** Applies gateway.yaml to `target` whenever the file, or a file that it names, changes. */
	follow(configuration: StartedConfiguration, target: Configurable, logger: Logger, adapt: Adapt): void {
		this.#live = configuration.follow(target, logger, adapt);
		this.#readFile = (file) => adapt(configuration.read(file));
	}

	/** Stops following; resolves when a change that is being applied has been. */
	async close(): Promise<void> {
		await this.#live?.close();
	}
}

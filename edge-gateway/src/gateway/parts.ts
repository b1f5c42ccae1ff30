/** What a composition must open before it creates a gateway. */
import type { Bus } from '@crowdvision/bus';
import type { CommitWorker, Log } from '@crowdvision/log';
import type { Logger, Registry as Metrics, Tokens } from '@crowdvision/service-kit';
import type { Clock } from '../clock/clock.ts';
import type { GatewayConfig } from '../configuration/gateway-config.ts';

/** What a composition opens before the gateway, and closes after it. */
export interface GatewayParts {
	config: GatewayConfig;
	/** The telemetry log and the clock it was opened with: see `openTelemetryLog`. */
	log: Log;
	clock: Clock;
	worker: CommitWorker;
	/** Carries buildings, sensors, commands and device events. Undefined for a gateway on its own. */
	bus: Bus | undefined;
	tokens: Tokens;
	/** Whether a process on another machine signs the tokens, by its own clock. Default false. */
	signsElsewhere?: boolean;
	logger: Logger;
	metrics: Metrics;
}

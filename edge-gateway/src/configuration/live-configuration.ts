/** Follows gateway.yaml while the gateway runs: applies changes, tries them, undoes those that fail. */
import { isDeepStrictEqual } from 'node:util';
import type { ConfigurationStatus } from '@crowdvision/contracts';
import { type Logger, SettingsError } from '@crowdvision/service-kit';
import type { ConfigurationHistory } from './configuration-history.ts';
import type { GatewayConfig } from './gateway-config.ts';
import { EVERYTHING, type Touched, touchedBy } from './touched.ts';
import { type Health, Trial } from './trial.ts';
import { WatchedFiles } from './watched-files.ts';

/** What a configuration is applied to. */
export interface Configurable {
	/**
	 * Applies another configuration while the gateway runs: parts that it changes are changed, and only connections that
	 * it removes are dropped. Also called with an unchanged configuration, when a file that it names has changed.
	 * Resolves with the changed options that only count from the next start. Rejects if a part cannot work with it; the
	 * caller then applies the previous one.
	 */
	update(config: GatewayConfig): Promise<string[]>;
	health(): Health;
}

/** A text of gateway.yaml, and what it means together with the environment. */
export interface Configuration {
	text: string;
	config: GatewayConfig;
}

export interface LiveConfigurationParts {
	/** Of gateway.yaml. */
	path: string;
	/** What the gateway was started with. */
	inForce: Configuration;
	/** Why that is not the content of the file; undefined if it is. */
	insteadOf?: string | undefined;
	/** Reads the text of the file. @throws SettingsError */
	read: () => string;
	/** @throws SettingsError */
	parse: (text: string) => GatewayConfig;
	/** Files that a configuration names (certificates, passwords): a change of one counts as a change of gateway.yaml. */
	filesOf: (config: GatewayConfig) => string[];
	history: ConfigurationHistory;
	target: Configurable;
	logger: Logger;
}

const OBSERVE_EVERY_MS = 1000;
/** Observations before a change that its trial is compared with: one minute. */
const MAX_OBSERVATIONS = 60;

/**
 * gateway.yaml while the gateway runs:
 *
 *   file changed ─▶ parse ─▶ update ─▶ trial of 60 s ─┬─▶ confirmed, and remembered as good
 *                     │         │                     │
 *                     └─────────┴── reports why ◀─────┴── undone: the previous one is in force again
 *
 * A mistake in a new configuration never affects the running one.
 */
export class LiveConfiguration {
	readonly #parts: LiveConfigurationParts;
	/** Of the last minute without a trial, oldest first. */
	readonly #observations: Health[] = [];
	#files: WatchedFiles | undefined;
	#timer: NodeJS.Timeout | undefined;
	#inForce: Configuration;
	/** The configuration that a failed trial returns to. */
	#confirmed: Configuration;
	#status: ConfigurationStatus;
	#trial: Trial | undefined;
	#running: Promise<void> = Promise.resolve();
	#closed = false;
	/** While a change is applied, the trial of the configuration before it neither passes nor fails. */
	#applying = false;
	/** The disk refused a confirmation, and that was logged. */
	#confirmationFailed = false;

	private constructor(parts: LiveConfigurationParts) {
		const { path, inForce, insteadOf } = parts;
		this.#parts = parts;
		this.#inForce = inForce;
		this.#confirmed = inForce;
		this.#status = {
			path,
			state: 'confirmed',
			since: Date.now(),
			needsRestart: [],
			...(insteadOf !== undefined && { notInForce: insteadOf }),
		};
	}

	/**
	 * Begins to follow the file. The configuration of the start is on trial, unless it is known to work, or none is.
	 */
	static follow(parts: LiveConfigurationParts): LiveConfiguration {
		const live = new LiveConfiguration(parts);
		live.#begin();
		return live;
	}

	#begin(): void {
		const { inForce, history } = this.#parts;
		this.#confirmed = this.#lastGood() ?? inForce;
		if (history.good === undefined) history.confirm(inForce.text);
		else if (history.good !== inForce.text) this.#beginTrial([]);
		this.#files = WatchedFiles.watch(this.#watchedPaths(), () => this.#enqueue(() => this.#onChange()));
		this.#timer = setInterval(() => this.#observe(), OBSERVE_EVERY_MS).unref();
	}

	/** The configuration in force. */
	get config(): GatewayConfig {
		return this.#inForce.config;
	}

	get status(): ConfigurationStatus {
		return this.#status;
	}

	/** Resolves when a change that is being applied has been. A trial begins again at the next start. */
	async close(): Promise<void> {
		this.#closed = true;
		this.#files?.close();
		clearInterval(this.#timer);
		await this.#running;
		if (this.#trial) this.#parts.history.suspendTrial();
	}

	/** Runs steps one after the other: the file may change while a change is being applied. */
	#enqueue(step: () => Promise<void>): void {
		this.#running = this.#running.then(async () => {
			if (this.#closed) return;
			try {
				await step();
			} catch (error) {
				this.#parts.logger.error({ err: error }, 'configuration: a change could not be applied');
			}
		});
	}

	async #onChange(): Promise<void> {
		const { read, parse, logger } = this.#parts;
		let next: Configuration;
		try {
			const text = read();
			next = { text, config: parse(text) };
		} catch (error) {
			if (!(error instanceof SettingsError)) throw error;
			logger.error(
				{ mistakes: error.message.split('\n') },
				'configuration: gateway.yaml has mistakes; the previous one stays in force',
			);
			this.#status = { ...this.#status, notInForce: error.message };
			return;
		}
		const isRestored =
			next.text === this.#inForce.text &&
			this.#status.notInForce !== undefined &&
			// Files that are part of the configuration may have changed.
			isDeepStrictEqual(next.config, this.#inForce.config);
		if (!isRestored) return this.#apply(next);
		const { notInForce: _corrected, ...status } = this.#status;
		this.#status = status;
	}

	async #apply(next: Configuration): Promise<void> {
		this.#applying = true;
		try {
			await this.#try(next);
		} finally {
			this.#applying = false;
		}
	}

	async #try(next: Configuration): Promise<void> {
		const { history, target, logger } = this.#parts;
		history.beginTrial(next.text, Date.now());
		// The trial compares with this moment, too.
		if (!this.#trial) this.#observations.push(target.health());
		let needsRestart: string[];
		try {
			needsRestart = await target.update(next.config);
		} catch (error) {
			return this.#undo(next.text, (error as Error).message);
		}
		this.#inForce = next;
		this.#beginTrial(needsRestart, touchedBy(this.#confirmed.config, next.config));
		this.#files?.follow(this.#watchedPaths());
		logger.info({ needsRestart }, 'configuration: gateway.yaml is in force, on trial');
	}

	#beginTrial(needsRestart: string[], touched: Touched = EVERYTHING): void {
		const { path, history } = this.#parts;
		const since = Date.now();
		const { trialSeconds } = this.#inForce.config;
		this.#status = { path, state: 'trial', since, until: since + trialSeconds * 1000, needsRestart };
		history.beginTrial(this.#inForce.text, since);
		const observations = Math.ceil((trialSeconds * 1000) / OBSERVE_EVERY_MS);
		if (trialSeconds === 0) this.#confirm();
		else this.#trial = new Trial([...this.#observations], { observations, touched });
	}

	#observe(): void {
		if (this.#applying) return;
		const health = this.#parts.target.health();
		if (!this.#trial) {
			this.#observations.push(health);
			if (this.#observations.length > MAX_OBSERVATIONS) this.#observations.shift();
			return;
		}
		const verdict = this.#trial.observe(health);
		if (verdict === undefined) return;
		if (verdict === 'passed') this.#tryToConfirm();
		else {
			this.#trial = undefined;
			const tried = this.#inForce.text;
			this.#enqueue(() => this.#undo(tried, verdict.reason));
		}
	}

	/** If the disk refuses the confirmation, the trial goes on, and the next observation tries again. */
	#tryToConfirm(): void {
		try {
			this.#confirm();
			this.#confirmationFailed = false;
		} catch (error) {
			if (!this.#confirmationFailed)
				this.#parts.logger.error(
					{ err: error },
					'configuration: the disk does not take the confirmation of gateway.yaml; the trial goes on',
				);
			this.#confirmationFailed = true;
		}
	}

	/** @throws the disk's error; then nothing has changed */
	#confirm(): void {
		const { path, history, logger } = this.#parts;
		history.confirm(this.#inForce.text);
		this.#trial = undefined;
		this.#observations.length = 0;
		this.#confirmed = this.#inForce;
		this.#status = { path, state: 'confirmed', since: Date.now(), needsRestart: this.#status.needsRestart };
		logger.info('configuration: gateway.yaml has passed its trial');
	}

	/** Puts the last confirmed configuration into force again. */
	async #undo(tried: string, reason: string): Promise<void> {
		const { history, target, logger, path } = this.#parts;
		this.#trial = undefined;
		history.refuse(tried, reason, Date.now());
		logger.error({ reason }, 'configuration: gateway.yaml is undone; the previous one is in force again');
		const needsRestart = await target.update(this.#confirmed.config);
		this.#inForce = this.#confirmed;
		this.#status = {
			path,
			state: 'confirmed',
			since: Date.now(),
			notInForce: `it was tried and undone: ${reason}`,
			needsRestart,
		};
		this.#files?.follow(this.#watchedPaths());
	}

	/** The configuration that is known to work, if it is still valid. */
	#lastGood(): Configuration | undefined {
		const { history, parse } = this.#parts;
		if (history.good === undefined) return undefined;
		try {
			return { text: history.good, config: parse(history.good) };
		} catch {
			return undefined;
		}
	}

	#watchedPaths(): string[] {
		const { path, filesOf } = this.#parts;
		return [path, ...filesOf(this.#inForce.config)];
	}
}

import type { ConfigurationStatus } from '@crowdvision/contracts';
import { type Logger, SettingsError } from '@crowdvision/service-kit';
import type { GatewayConfig } from './gateway-config.ts';
import type { KeptConfiguration } from './kept-configuration.ts';
import { type Health, Probation } from './probation.ts';
import { WatchedFiles } from './watched-files.ts';

/** What a configuration is applied to. */
export interface Configurable {
	/**
	 * Takes another configuration while everything goes on: parts that it changes are changed, no connection is dropped
	 * that it does not take away. Also called with the same one, when a file that it names was changed. Resolves with the
	 * names of options that only count from the next start. Rejects where a part cannot work with it; the caller then
	 * goes back.
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
	/** Why that is not what stands in the file. */
	insteadOf?: string | undefined;
	/** The text that stands in the file. @throws SettingsError */
	read: () => string;
	/** @throws SettingsError */
	parse: (text: string) => GatewayConfig;
	/** Files that a configuration names (certificates, passwords): a change of theirs is a change of it. */
	filesOf: (config: GatewayConfig) => string[];
	kept: KeptConfiguration;
	target: Configurable;
	logger: Logger;
}

const LOOK_EVERY_MS = 1000;
/** Of the time before a change. */
const MOST_LOOKS = 60;

/**
 * gateway.yaml while the gateway runs:
 *
 *   file changed ─▶ parse ─▶ update ─▶ trial of 60 s ─┬─▶ confirmed, and kept
 *                     │         │                     │
 *                     └─────────┴── says why ◀────────┴── the one before again, by itself
 *
 * Nothing that is wrong with a new configuration changes anything of the running one.
 */
export class LiveConfiguration {
	readonly #parts: LiveConfigurationParts;
	#files: WatchedFiles | undefined;
	#timer: NodeJS.Timeout | undefined;
	/** The last minute's, oldest first. */
	readonly #looks: Health[] = [];
	#inForce: Configuration;
	/** What is gone back to. */
	#confirmed: Configuration;
	#status: ConfigurationStatus;
	#probation: Probation | undefined;
	#running: Promise<void> = Promise.resolve();
	#closed = false;
	/** What is on trial is about to be replaced: its trial neither passes nor fails any more. */
	#applying = false;
	/** The disk did not take a confirmation, which was told. */
	#refused = false;

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
	 * Begins to follow the file. What the gateway was started with is on trial, unless it is known to work or nothing is.
	 */
	static follow(parts: LiveConfigurationParts): LiveConfiguration {
		const live = new LiveConfiguration(parts);
		live.#begin();
		return live;
	}

	#begin(): void {
		const { inForce, kept } = this.#parts;
		this.#confirmed = this.#known() ?? inForce;
		if (kept.good === undefined) kept.confirm(inForce.text);
		else if (kept.good !== inForce.text) this.#beginTrial([]);
		this.#files = WatchedFiles.watch(this.#watched(), () => this.#soon(() => this.#onChange()));
		this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
	}

	/** What is in force. */
	get config(): GatewayConfig {
		return this.#inForce.config;
	}

	get status(): ConfigurationStatus {
		return this.#status;
	}

	/** Resolves when what is under way is over; a trial begins anew at the next start. */
	async close(): Promise<void> {
		this.#closed = true;
		this.#files?.close();
		clearInterval(this.#timer);
		await this.#running;
		if (this.#probation) this.#parts.kept.suspendTrial();
	}

	/** One after the other: a file may change while a change is being applied. */
	#soon(step: () => Promise<void>): void {
		this.#running = this.#running.then(async () => {
			if (this.#closed) return;
			try {
				await step();
			} catch (error) {
				this.#parts.logger.error({ err: error }, 'configuration: a change failed');
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
				'configuration: gateway.yaml has mistakes; the one before stays in force',
			);
			this.#status = { ...this.#status, notInForce: error.message };
			return;
		}
		const corrected = next.text === this.#inForce.text && this.#status.notInForce !== undefined;
		if (!corrected) return this.#apply(next);
		const { notInForce: _mended, ...status } = this.#status;
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
		const { kept, target, logger } = this.#parts;
		kept.beginTrial(next.text, Date.now());
		// How things stood at this moment is what it is judged by.
		if (!this.#probation) this.#looks.push(target.health());
		let needsRestart: string[];
		try {
			needsRestart = await target.update(next.config);
		} catch (error) {
			return this.#goBack(next.text, (error as Error).message);
		}
		this.#inForce = next;
		this.#beginTrial(needsRestart);
		this.#files?.follow(this.#watched());
		logger.info({ needsRestart }, 'configuration: gateway.yaml is in force, on trial');
	}

	#beginTrial(needsRestart: string[]): void {
		const { path, kept } = this.#parts;
		const since = Date.now();
		const { trialSeconds } = this.#inForce.config;
		this.#status = { path, state: 'trial', since, until: since + trialSeconds * 1000, needsRestart };
		kept.beginTrial(this.#inForce.text, since);
		if (trialSeconds === 0) this.#confirm();
		else this.#probation = new Probation([...this.#looks], { looks: Math.ceil((trialSeconds * 1000) / LOOK_EVERY_MS) });
	}

	#look(): void {
		if (this.#applying) return;
		const health = this.#parts.target.health();
		if (!this.#probation) {
			this.#looks.push(health);
			if (this.#looks.length > MOST_LOOKS) this.#looks.shift();
			return;
		}
		const verdict = this.#probation.look(health);
		if (verdict === undefined) return;
		if (verdict === 'passed') this.#tryToConfirm();
		else {
			this.#probation = undefined;
			const tried = this.#inForce.text;
			this.#soon(() => this.#goBack(tried, verdict.reason));
		}
	}

	/** Where the disk refuses it the trial goes on, and this is tried again with the next look. */
	#tryToConfirm(): void {
		try {
			this.#confirm();
			this.#refused = false;
		} catch (error) {
			if (!this.#refused)
				this.#parts.logger.error(
					{ err: error },
					'configuration: that gateway.yaml works cannot be written down yet; trying on',
				);
			this.#refused = true;
		}
	}

	/** @throws the disk's error; then nothing has changed. */
	#confirm(): void {
		const { path, kept, logger } = this.#parts;
		kept.confirm(this.#inForce.text);
		this.#probation = undefined;
		this.#looks.length = 0;
		this.#confirmed = this.#inForce;
		this.#status = { path, state: 'confirmed', since: Date.now(), needsRestart: this.#status.needsRestart };
		logger.info('configuration: gateway.yaml has stood its trial');
	}

	/** Has what was confirmed last in force again. */
	async #goBack(tried: string, reason: string): Promise<void> {
		const { kept, target, logger, path } = this.#parts;
		this.#probation = undefined;
		kept.refuse(tried, reason, Date.now());
		logger.error({ reason }, 'configuration: gateway.yaml is taken back; the one before is in force again');
		const needsRestart = await target.update(this.#confirmed.config);
		this.#inForce = this.#confirmed;
		this.#status = {
			path,
			state: 'confirmed',
			since: Date.now(),
			notInForce: `it was tried and taken back: ${reason}`,
			needsRestart,
		};
		this.#files?.follow(this.#watched());
	}

	/** What is known to work, where it still means something. */
	#known(): Configuration | undefined {
		const { kept, parse } = this.#parts;
		if (kept.good === undefined) return undefined;
		try {
			return { text: kept.good, config: parse(kept.good) };
		} catch {
			return undefined;
		}
	}

	#watched(): string[] {
		const { path, filesOf } = this.#parts;
		return [path, ...filesOf(this.#inForce.config)];
	}
}

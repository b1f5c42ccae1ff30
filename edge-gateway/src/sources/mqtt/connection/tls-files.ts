import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { type Logger, SettingsError } from '@crowdvision/service-kit';

const POLL_EVERY_MS = 2000;

/** Paths of PEM files. */
export interface TlsPaths {
	cert: string;
	key: string;
	/** The authorities that must have signed clients' certificates. Without it, clients need no certificate. */
	ca?: string;
}

/** The certificate, key and authorities of a TLS server, read from files that may be renewed while it runs. */
export class TlsFiles {
	readonly #paths: TlsPaths;
	readonly #logger: Logger;
	/** The state of the files when they were last read. */
	#readState = '';
	#timer: NodeJS.Timeout | undefined;

	constructor({ cert, key, ca }: TlsPaths, logger: Logger) {
		this.#paths = { cert, key, ...(ca !== undefined && { ca }) };
		this.#logger = logger;
	}

	/** @throws SettingsError when a file cannot be used; names the setting, the file and the reason */
	read(): SecureContextOptions {
		const { cert, key, ca } = this.#paths;
		this.#readState = this.#state();
		const options: SecureContextOptions = {
			cert: contents('cert', cert),
			key: contents('key', key),
			...(ca !== undefined && { ca: contents('ca', ca) }),
			minVersion: 'TLSv1.2',
		};
		try {
			createSecureContext(options);
		} catch (error) {
			const files = Object.values(this.#paths).join(', ');
			throw new SettingsError(
				`sources.mqtt.tls: ${files} do not fit together as a certificate: ${(error as Error).message}`,
			);
		}
		if (statSync(key).mode & 0o077)
			this.#logger.warn({ file: key }, 'mqtt: not only its owner may read the private key; run chmod 600 on it');
		return options;
	}

	/** Calls `onChange` with the new contents whenever the files have changed. Unusable files are logged and ignored. */
	follow(onChange: (options: SecureContextOptions) => void): void {
		this.#timer = setInterval(() => {
			if (this.#state() === this.#readState) return;
			try {
				onChange(this.read());
				this.#logger.info({ file: this.#paths.cert }, 'mqtt: the certificate was renewed');
			} catch (error) {
				this.#logger.error(
					{ err: (error as Error).message },
					'mqtt: the renewed certificate cannot be used; the previous one stays',
				);
			}
		}, POLL_EVERY_MS).unref();
	}

	stop(): void {
		clearInterval(this.#timer);
	}

	/** Modification time, size and inode of each file, with links followed: renewals usually replace a link. */
	#state(): string {
		return Object.values(this.#paths)
			.map((path: string) => {
				const stats = statSync(path, { throwIfNoEntry: false });
				return stats ? `${stats.mtimeMs} ${stats.size} ${stats.ino}` : 'missing';
			})
			.join(', ');
	}
}

function contents(setting: keyof TlsPaths, path: string): Buffer {
	try {
		return readFileSync(path);
	} catch (error) {
		throw new SettingsError(
			`sources.mqtt.tls.${setting} is ${JSON.stringify(path)}, which cannot be read: ${(error as Error).message}`,
		);
	}
}

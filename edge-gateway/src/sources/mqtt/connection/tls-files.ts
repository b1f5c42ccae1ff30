import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { type Logger, SettingsError } from '@crowdvision/service-kit';

const LOOK_EVERY_MS = 2000;

/** Paths of PEM files. */
export interface TlsPaths {
	cert: string;
	key: string;
	/** Authorities that clients' certificates must be signed by; without it clients need none. */
	ca?: string;
}

/** What a TLS server shows and believes, from files that may be renewed while it runs. */
export class TlsFiles {
	readonly #paths: TlsPaths;
	readonly #logger: Logger;
	#seen = '';
	#timer: NodeJS.Timeout | undefined;

	constructor({ cert, key, ca }: TlsPaths, logger: Logger) {
		this.#paths = { cert, key, ...(ca !== undefined && { ca }) };
		this.#logger = logger;
	}

	/** @throws SettingsError that names the setting, the file and what is wrong with it. */
	read(): SecureContextOptions {
		const { cert, key, ca } = this.#paths;
		this.#seen = this.#look();
		const options: SecureContextOptions = {
			cert: contents('cert', cert),
			key: contents('key', key),
			...(ca !== undefined && { ca: contents('ca', ca) }),
			minVersion: 'TLSv1.2',
		};
		try {
			createSecureContext(options);
		} catch (error) {
			throw new SettingsError(
				`sources.mqtt.tls: ${Object.values(this.#paths).join(', ')} do not make a certificate: ${(error as Error).message}`,
			);
		}
		if (statSync(key).mode & 0o077)
			this.#logger.warn({ file: key }, 'mqtt: the private key may be read by others than its owner; chmod 600 it');
		return options;
	}

	/** Hands over what the files hold whenever they have changed. Files that are wrong change nothing, and are told. */
	follow(onChange: (options: SecureContextOptions) => void): void {
		this.#timer = setInterval(() => {
			if (this.#look() === this.#seen) return;
			try {
				onChange(this.read());
				this.#logger.info({ file: this.#paths.cert }, 'mqtt: the certificate was renewed');
			} catch (error) {
				this.#logger.error(
					{ err: (error as Error).message },
					'mqtt: the renewed certificate cannot be used; the one before stays',
				);
			}
		}, LOOK_EVERY_MS).unref();
	}

	stop(): void {
		clearInterval(this.#timer);
	}

	/** When and how large the files were last written, also behind links. */
	#look(): string {
		return Object.values(this.#paths)
			.map((path: string) => {
				const found = statSync(path, { throwIfNoEntry: false });
				return found ? `${found.mtimeMs} ${found.size} ${found.ino}` : 'missing';
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

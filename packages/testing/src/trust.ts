/** Makes test processes trust a certificate authority of their own. */
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, getCACertificates, setDefaultCACertificates } from 'node:tls';

/**
 * From here on this process believes what the authority in `caFile` (PEM) has signed, besides those it believed before.
 */
export function trust(caFile: string): void {
	setDefaultCACertificates([...getCACertificates('default'), readFileSync(caFile, 'utf8')]);
}

/** What programs started with it believe too: Node and curl. */
export const trustIn = (caFile: string): Record<string, string> => ({
	NODE_EXTRA_CA_CERTS: caFile,
	CURL_CA_BUNDLE: caFile,
});

/**
 * SHA-256 of the public key that a site shows, as Chromium's --ignore-certificate-errors-spki-list takes it; the site
 * must be one that is believed.
 */
export function keyOf(url: string): Promise<string> {
	const { hostname, port } = new URL(url);
	return new Promise((resolve, reject) => {
		const socket = connect({ host: hostname, port: Number(port || 443), servername: hostname }, () => {
			const { publicKey } = new X509Certificate(socket.getPeerCertificate().raw);
			resolve(
				createHash('sha256')
					.update(publicKey.export({ type: 'spki', format: 'der' }))
					.digest('base64'),
			);
			socket.destroy();
		});
		socket.setTimeout(10_000, () => socket.destroy(new Error(`${url}: no TLS within 10 s`)));
		socket.once('error', reject);
	});
}

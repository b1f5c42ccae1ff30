import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CrowdVisionError } from '@crowdvision/contracts';
import { type Express, express, type Request, type Response } from '@crowdvision/service-kit';

const ROOT = join(import.meta.dirname, '..');
const DASHBOARD = join(ROOT, 'frontend', 'dist');
const API_DOCS = join(ROOT, 'docs', 'api');

/** Serves the dashboard at `/` and the API documents at `/docs`, as Caddy does in the distributed mode. */
export function servePages(app: Express): void {
	// A relative redirect stays below the path that a proxy may have stripped.
	app.get('/docs', (request, response, next) => {
		if (request.path.endsWith('/')) return next();
		response.status(308).set('Location', 'docs/').end();
	});
	app.use('/docs', securityHeaders, express.static(API_DOCS, { redirect: false }));
	app.use(
		securityHeaders,
		express.static(DASHBOARD, { index: 'index.html', redirect: false, setHeaders: cacheHashed }),
	);
	if (!existsSync(DASHBOARD)) {
		app.get('/', () => {
			throw new CrowdVisionError('unavailable', 'The dashboard is not built: npm start builds it');
		});
	}
}

/** Keeps pages from loading anything from other sites and from being shown in another site's frame. */
function securityHeaders(_request: Request, response: Response, next: () => void): void {
	response.set({
		'Content-Security-Policy':
			"default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; " +
			"frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
		'X-Content-Type-Options': 'nosniff',
		'Referrer-Policy': 'no-referrer',
	});
	next();
}

/** Lets browsers cache files whose name contains a hash of their content. */
function cacheHashed(response: { setHeader(name: string, value: string): void }, path: string): void {
	const isHashed = /-[A-Za-z0-9_-]{8}\.\w+$/.test(path);
	response.setHeader('Cache-Control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
}

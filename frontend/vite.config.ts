import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import vue from '@vitejs/plugin-vue';
import { defineConfig, type Plugin } from 'vite';

/** Where the development server finds the services: `scripts/dev.ts` says so, else the port that `npm start` opens. */
const SERVICES = process.env.SERVICES_URL ?? 'http://127.0.0.1:8080';
const PATHS = ['/auth', '/twin', '/notification', '/llm', '/gateway', '/docs'];
const PATHS_WITH_SOCKETS = ['/ingest', '/socket.io', '/mqtt'];

/** Serves THIRD-PARTY-NOTICES as /third-party-notices.txt, built and while developing. */
function thirdPartyNotices(): Plugin {
	const fileName = 'third-party-notices.txt';
	const read = () => readFileSync(join(import.meta.dirname, '..', 'THIRD-PARTY-NOTICES'), 'utf8');
	return {
		name: 'third-party-notices',
		generateBundle() {
			this.emitFile({ type: 'asset', fileName, source: read() });
		},
		configureServer({ middlewares }) {
			middlewares.use(`/${fileName}`, (_request, response) => {
				response.setHeader('Content-Type', 'text/plain; charset=utf-8');
				response.end(read());
			});
		},
	};
}

export default defineConfig(({ mode }) => ({
	// Every address is relative: a proxy may serve the page below any path.
	base: './',
	// `scripts/notices.ts` builds in the mode `notices` to learn which packages are bundled: before there are notices.
	plugins: [vue(), ...(mode === 'notices' ? [] : [thirdPartyNotices()])],
	define: {
		__VUE_OPTIONS_API__: 'false',
		__VUE_PROD_DEVTOOLS__: 'false',
		__VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
		__VUE_I18N_FULL_INSTALL__: 'false',
		__VUE_I18N_LEGACY_API__: 'false',
		__INTLIFY_PROD_DEVTOOLS__: 'false',
	},
	build: {
		// A content security policy of `default-src 'self'` is enough for the page: nothing inline, no data: URLs.
		assetsInlineLimit: 0,
		modulePreload: { polyfill: false },
		sourcemap: false,
		license: mode === 'notices' && { fileName: 'bundled.json' },
	},
	server: {
		proxy: {
			...Object.fromEntries(PATHS.map((path) => [path, { target: SERVICES }])),
			...Object.fromEntries(PATHS_WITH_SOCKETS.map((path) => [path, { target: SERVICES, ws: true }])),
		},
	},
}));

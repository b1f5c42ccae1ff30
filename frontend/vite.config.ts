import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

/** Where `npm run dev` finds the services: the port that `npm start` opens. */
const SERVICES = 'http://127.0.0.1:8080';
const PREFIXES = ['/auth', '/twin', '/notification', '/llm', '/gateway', '/ingest'];

export default defineConfig({
	plugins: [vue()],
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
	},
	server: {
		proxy: {
			...Object.fromEntries(PREFIXES.map((prefix) => [prefix, { target: SERVICES }])),
			'/socket.io': { target: SERVICES, ws: true },
		},
	},
});

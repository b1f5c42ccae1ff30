import { CrowdVisionError } from '@crowdvision/contracts';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../logger.ts';
import { createApp, finishApp, Router } from './app.ts';
import { requestMetrics } from './request-metrics.ts';
import { closeServer, createServer, listen } from './server.ts';

let metrics: Registry;
let server: ReturnType<typeof createServer>;
let url: string;

beforeEach(async () => {
	metrics = new Registry();
	const router = Router();
	router.get('/rooms/:id', (_request, response) => void response.json({}));
	router.get('/full', () => {
		throw new CrowdVisionError('unavailable', 'not now');
	});
	const app = createApp();
	app.use('/twin', requestMetrics(metrics, 'twin'), router);
	finishApp(app, createLogger('test', 'silent'));
	server = createServer(app);
	url = `http://127.0.0.1:${await listen(server, 0, '127.0.0.1')}`;
});
afterEach(() => closeServer(server, 500));

describe('requestMetrics', () => {
	it('counts requests by route pattern and status, whatever ids and paths clients make up', async () => {
		for (const path of ['/twin/rooms/1', '/twin/rooms/2', '/twin/full', '/twin/made-up', '/twin/made/up'])
			await fetch(url + path);
		const text = await metrics.metrics();
		const count = (labels: string) =>
			text.split('\n').find((line) => line.startsWith(`http_request_duration_seconds_count{${labels}}`));
		expect(count('service="twin",method="GET",route="/rooms/:id",status="200"')).toMatch(/ 2$/);
		expect(count('service="twin",method="GET",route="/full",status="503"')).toMatch(/ 1$/);
		expect(count('service="twin",method="GET",route="none",status="404"')).toMatch(/ 2$/);
		expect(text).not.toContain('made');
	});
});

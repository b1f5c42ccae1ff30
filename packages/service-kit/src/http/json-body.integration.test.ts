import type { ErrorBody } from '@crowdvision/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '../logger.ts';
import { createApp, finishApp, jsonBody, Router } from './app.ts';
import { closeServer, createServer, listen } from './server.ts';

describe('P14 a JSON body', () => {
	let server: ReturnType<typeof createServer>;
	let url: string;

	beforeAll(async () => {
		const router = Router();
		router.put('/document', jsonBody(), (request, response) => void response.json(request.body));
		const app = createApp();
		app.use(router);
		finishApp(app, createLogger('test', 'silent'));
		server = createServer(app);
		url = `http://127.0.0.1:${await listen(server, 0, '127.0.0.1')}/document`;
	});
	afterAll(() => closeServer(server, 500));

	const put = async (body: string) => {
		const response = await fetch(url, { method: 'PUT', headers: { 'content-type': 'application/json' }, body });
		return { status: response.status, body: (await response.json()) as unknown };
	};

	it('that gives a key twice is refused with path and line', async () => {
		const { status, body } = await put('{"rooms": [\n{"id": "hall", "capacity": 10},\n{"id": "lab", "id": "attic"}]}');
		expect(status).toBe(422);
		expect((body as ErrorBody).error).toEqual({
			code: 'invalid',
			message: '/rooms/1/id is given twice in line 3',
			path: '/rooms/1/id',
			problems: [{ path: '/rooms/1/id', message: 'is given twice in line 3' }],
		});
	});

	it('that gives keys of one spelling only is taken as it is', async () => {
		const document = { 'K\u00fcche': { a: 1 }, b: [{ a: 1 }, { a: '{"a":1,"a":2}' }] };
		expect(await put(JSON.stringify(document))).toEqual({ status: 200, body: document });
	});

	it('that is no JSON is refused as such', async () => {
		expect(await put('{"a": 1, "a')).toMatchObject({ status: 400, body: { error: { code: 'not_json' } } });
	});
});

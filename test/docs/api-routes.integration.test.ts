import { createAuth } from '@crowdvision/auth';
import { OPERATIONS } from '@crowdvision/contracts/api';
import { createLlm } from '@crowdvision/llm';
import { createNotification } from '@crowdvision/notification';
import { openServiceWorld, type ServiceWorld } from '@crowdvision/testing/service-world';
import { createTwin } from '@crowdvision/twin';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { routesOf } from '../support/routes.ts';

const SERVICES = { auth: createAuth, twin: createTwin, notification: createNotification, llm: createLlm } as const;

let world: ServiceWorld;
beforeAll(async () => {
	world = await openServiceWorld();
});
afterAll(() => world.stop());

it.each(Object.keys(SERVICES) as (keyof typeof SERVICES)[])(
	'the API document lists every route of %s, and no other',
	async (name) => {
		const { service } = await world.serve<Awaited<ReturnType<(typeof SERVICES)[typeof name]>>>(SERVICES[name] as never);
		const documented = OPERATIONS[name].map(({ method, path }) => `${method.toUpperCase()} ${path}`);
		expect([...new Set(routesOf(service.router, `/${name}`))].sort()).toEqual(documented.sort());
	},
);

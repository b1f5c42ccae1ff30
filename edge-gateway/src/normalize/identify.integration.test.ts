import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bus } from '@crowdvision/bus';
import { type DeviceClaims, TABLES } from '@crowdvision/contracts';
import { openServiceWorld, type ServiceWorld } from '@crowdvision/testing/service-world';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Registry } from '../registry.ts';
import { notAllowed, placeOf, type Sender, senderOf } from './identify.ts';

let world: ServiceWorld;
let registry: Registry;
const dir = mkdtempSync(join(tmpdir(), 'crowdvision-identify-'));

beforeAll(async () => {
	world = await openServiceWorld();
	const bus: Bus = world.parts.bus;
	const building = (id: string, ...domains: string[]) =>
		bus.retain(TABLES.buildings, id, JSON.stringify({ id, name: id, domains, rooms: [] }));
	await building('b1', 'acme');
	await building('annex', 'acme/north');
	await building('shared', 'acme', 'other');
	await building('foreign', 'other');
	await building('nobodys');
	await bus.retain(TABLES.sensors, 'door-3', JSON.stringify({ sensorId: 'door-3', buildingId: 'b1', roomId: 'hall' }));
	await bus.retain(TABLES.revokedDevices, 'gone', JSON.stringify({ before: 1000 }));
	registry = Registry.open(join(dir, 'registry'));
	await registry.follow(bus);
});

afterAll(async () => {
	await registry.close();
	await world.stop();
	rmSync(dir, { recursive: true });
});

const sender = (scope: Partial<Sender> = {}): Sender => ({
	id: 'd1',
	domainName: 'acme',
	sensorIds: undefined,
	buildingId: undefined,
	...scope,
});

describe('the place of a reading', () => {
	it.each<[string, string | undefined, string | undefined, object]>([
		['door-3', undefined, undefined, { buildingId: 'b1', roomId: 'hall' }],
		['door-3', 'b2', 'attic', { buildingId: 'b2', roomId: 'attic' }],
		['door-3', undefined, 'attic', { buildingId: 'b1', roomId: 'attic' }],
		['new', 'b2', 'attic', { buildingId: 'b2', roomId: 'attic' }],
		['new', undefined, 'attic', { path: '/buildingId' }],
		['new', 'b2', undefined, { path: '/roomId' }],
		[
			'door-3',
			'b2',
			undefined,
			{ path: '/roomId', message: expect.stringContaining('not registered in this building') },
		],
		['new', undefined, undefined, { path: '/buildingId' }],
		['__proto__', undefined, undefined, { path: '/buildingId' }],
	])(
		'for sensor %s, building %s and room %s is what is stated or registered',
		(sensorId, buildingId, roomId, expected) => {
			expect(placeOf(sensorId, buildingId, roomId, registry)).toMatchObject(expected);
		},
	);

	it('takes the building of the scope last, and never combines it with a room of another building', () => {
		expect(placeOf('new', undefined, 'attic', registry, { buildingId: 'b2' })).toEqual({
			buildingId: 'b2',
			roomId: 'attic',
		});
		expect(placeOf('door-3', undefined, undefined, registry, { buildingId: 'b1' })).toEqual({
			buildingId: 'b1',
			roomId: 'hall',
		});
		// Registered elsewhere: `notAllowed` decides that this is outside the scope.
		expect(placeOf('door-3', undefined, undefined, registry, { buildingId: 'annex' })).toEqual({
			buildingId: 'b1',
			roomId: 'hall',
		});
		expect(placeOf('door-3', undefined, 'attic', registry, { buildingId: 'annex' })).toEqual({
			buildingId: 'b1',
			roomId: 'attic',
		});
	});
});

describe('a sender', () => {
	it.each<[string, string, Partial<Sender>]>([
		['a building of its domain', 'b1', {}],
		['a building of a subdomain', 'annex', {}],
		['a building that its domain shares', 'shared', {}],
		['a building that its token names', 'b1', { buildingId: 'b1' }],
		['a sensor that its token names', 'b1', { sensorIds: new Set(['s']) }],
		['a building that is not known yet, if its token names it', 'new', { buildingId: 'new' }],
		['to any building, as a port of this machine', 'foreign', { domainName: undefined }],
	])('may write %s', (_what, buildingId, scope) => {
		expect(notAllowed(sender(scope), 's', buildingId, registry)).toBeUndefined();
	});

	it.each<[string, string, Partial<Sender>, string]>([
		['a building of another domain', 'foreign', {}, '/buildingId'],
		['a building of another domain, even if its token names it', 'foreign', { buildingId: 'foreign' }, '/buildingId'],
		[
			'a building of another domain, for a sensor that its token names',
			'foreign',
			{ sensorIds: new Set(['s']) },
			'/buildingId',
		],
		['a building without an owner', 'nobodys', {}, '/buildingId'],
		['an unknown building', 'unknown', {}, '/buildingId'],
		['a building of the domain above its own', 'b1', { domainName: 'acme/north' }, '/buildingId'],
		['a building of a domain whose name only begins like its own', 'b1', { domainName: 'acm' }, '/buildingId'],
		['a building of its domain that its token does not name', 'annex', { buildingId: 'b1' }, '/buildingId'],
		['a sensor that its token does not name', 'b1', { sensorIds: new Set(['t']) }, '/sensorId'],
		['any sensor, if the list in its token is empty', 'b1', { sensorIds: new Set() }, '/sensorId'],
		['a sensor that its port is not for', 'b1', { domainName: undefined, sensorIds: new Set(['t']) }, '/sensorId'],
		['anything with a revoked token', 'b1', { id: 'gone', issuedAt: 1000 }, ''],
	])('may not write %s', (_what, buildingId, scope, path) => {
		expect(notAllowed(sender(scope), 's', buildingId, registry)).toMatchObject({ path });
	});

	it('may write again with a token issued after the revocation', () => {
		expect(notAllowed(sender({ id: 'gone', issuedAt: 1001 }), 's', 'b1', registry)).toBeUndefined();
	});
});

it('a sender has the scope of the claims of its token', () => {
	const claims: DeviceClaims = {
		sub: 'device:d:1',
		domainName: 'acme',
		sensorIds: ['a', 'b'],
		buildingId: 'b1',
		exp: 2,
		iat: 1,
		jti: 'j',
	};
	expect(senderOf(claims)).toEqual({
		id: 'd:1',
		domainName: 'acme',
		sensorIds: new Set(['a', 'b']),
		buildingId: 'b1',
		issuedAt: 1,
	});
	expect(senderOf({ sub: 'device:d', domainName: 'acme', exp: 2, iat: 1, jti: 'j' })).toMatchObject({
		sensorIds: undefined,
		buildingId: undefined,
	});
});

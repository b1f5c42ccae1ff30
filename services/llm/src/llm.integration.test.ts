import {
	type Alert,
	type Answer,
	CHANNELS,
	type Conversation,
	type Membership,
	type RetainedBuilding,
	TABLES,
} from '@crowdvision/contracts';
import { onEachEngine } from '@crowdvision/testing/engines';
import { openServiceWorld, readingOf, type Served, type ServiceWorld } from '@crowdvision/testing/service-world';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLlm } from './index.ts';

let world: ServiceWorld;
let llm: Served;

const museum: RetainedBuilding = {
	id: 'museum-1',
	name: 'Museum',
	domains: ['museum'],
	rooms: [{ id: 'hall', name: 'Hall', capacity: 100 }],
};
const zoo: RetainedBuilding = {
	id: 'zoo-1',
	name: 'Zoo',
	domains: ['zoo'],
	rooms: [{ id: 'cage', name: 'Cage', capacity: 10 }],
};
const IN_MUSEUM: Membership = { domainName: 'museum', role: 'standard_customer' };
const IN_ZOO: Membership = { domainName: 'zoo', role: 'admin' };
const HALL = 'How many people are in the hall?';

const count = (buildingId: string, roomId: string, value: number, more: object = {}) =>
	readingOf({ buildingId, roomId, metric: 'peopleCount', value, ...more });
type Answered = Answer & { conversationId: string };
const ask = (token: string, question: string, conversationId?: string) =>
	llm.call<Answered>('POST', '/ask', {
		token,
		body: { question, ...(conversationId !== undefined && { conversationId }) },
	});
const conversations = async (token: string) =>
	(await llm.call<{ conversations: Conversation[] }>('GET', '/conversations', { token })).body.conversations;
const announce = (building: RetainedBuilding) =>
	world.parts.bus.retain(TABLES.buildings, building.id, JSON.stringify(building));
const knows = (token: string, question: string, part: string) =>
	waitFor(part, async () => (await ask(token, question)).body.answer.includes(part));

onEachEngine((mongoUrl) => {
	beforeEach(async () => {
		world = await openServiceWorld(mongoUrl ? { mongoUrl: mongoUrl() } : {});
		await announce(museum);
		await announce(zoo);
		llm = await world.serve(createLlm);
	});
	afterEach(() => world.stop());

	describe('P14 an account that is deleted', () => {
		const deleted = (id: string) =>
			world.parts.bus.retain(TABLES.removedAccounts, id, JSON.stringify({ at: Date.now() }));
		const signedIn = (id: string) => world.parts.tokens.signAccount({ id, name: id, memberships: [IN_MUSEUM] });
		const gone = (token: string) =>
			waitFor('the conversations to be gone', async () => (await conversations(token)).length === 0);

		it('leaves no conversations behind, not even of a question that is still being answered', async () => {
			await world.tell(count('museum-1', 'hall', 12));
			const [ada, bob] = [await signedIn('ada'), await signedIn('bob')];
			await knows(bob, HALL, '12');
			for (const token of [ada, ada, bob]) await ask(token, HALL);
			await deleted('ada');
			await gone(ada);
			await ask(ada, HALL);
			expect(await conversations(ada)).toEqual([]);
			expect((await conversations(bob)).length).toBeGreaterThan(0);
		});

		it('leaves none behind either where this service was stopped at the time', async () => {
			const ada = await signedIn('ada');
			await ask(ada, HALL);
			await llm.close();
			await deleted('ada');
			llm = await world.serve(createLlm);
			await gone(ada);
		});
	});

	describe('an answer', () => {
		it('rests only on buildings that the account may see', async () => {
			await world.tell(count('museum-1', 'hall', 7), count('zoo-1', 'cage', 3));
			const ada = await world.token(IN_MUSEUM);
			await knows(ada, HALL, '7 people in Hall');
			for (const question of [
				'How many people are there?',
				'How many people are in the cage?',
				'Which is the most crowded room?',
			]) {
				const { body } = await ask(ada, question);
				expect(body.citations.map(({ id }) => id)).toEqual(['museum-1/hall']);
				expect(body.answer).not.toMatch(/cage|zoo|3 people/i);
			}
			expect((await ask(await world.token(), HALL)).body).toMatchObject({ grounded: false, citations: [] });
			expect((await llm.call('POST', '/ask', { body: { question: HALL } })).status).toBe(401);
		});

		it('uses the newest value, whatever is redelivered or late, also after a restart', async () => {
			const at = Date.now() - 1000;
			const newest = count('museum-1', 'hall', 8, { observedAt: at });
			await world.tell(
				newest,
				count('museum-1', 'hall', 2, { observedAt: at - 500 }),
				newest,
				count('zoo-1', 'cage', 5),
			);
			await knows(await world.token(IN_ZOO), 'How many people are in the cage?', '5 people');
			expect((await ask(await world.token(IN_MUSEUM), HALL)).body.answer).toContain('8 people');
			await world.restart();
			await announce(museum);
			llm = await world.serve(createLlm);
			expect((await ask(await world.token(IN_MUSEUM), HALL)).body.answer).toContain('8 people');
		});

		it('uses what came after a reading from ahead, also where an earlier version has stored that (P13)', async () => {
			const ada = await world.token(IN_MUSEUM);
			const now = Date.now();
			const ahead = now + 20 * 3600_000;
			// As that version stored it: by the stated time.
			await world.tell(count('museum-1', 'hall', 3, { observedAt: ahead, receivedAt: ahead }));
			await world.tell(count('museum-1', 'hall', 2, { observedAt: ahead, receivedAt: now }));
			await world.tell(count('museum-1', 'hall', 26, { observedAt: now + 1, receivedAt: now + 1 }));
			await knows(ada, HALL, '26 people in Hall');
		});

		it.each([6, 10, 60])(
			'takes the value of a sensor that sends every %s minutes as current in between (P13)',
			async (every) => {
				const ada = await world.token(IN_MUSEUM);
				const observedAt = Date.now() - every * 0.9 * 60_000;
				await world.tell(count('museum-1', 'hall', 7, { observedAt, freshFor: every * 150_000 }));
				await knows(ada, HALL, '7 people in Hall');
				expect((await ask(ada, HALL)).body.answer).not.toContain('at the last count');
				await world.tell(count('museum-1', 'hall', 8, { observedAt: observedAt + 1000 }));
				await knows(ada, HALL, '8 people in Hall at the last count');
			},
		);

		it('states that the sensor is offline', async () => {
			await world.tell(count('museum-1', 'hall', 7, { sensorId: 'door-1', observedAt: Date.now() - 1000 }));
			const ada = await world.token(IN_MUSEUM);
			await knows(ada, HALL, '7 people in Hall');
			await world.parts.bus.announce(
				CHANNELS.devices,
				JSON.stringify({ sensorId: 'door-1', state: 'offline', at: Date.now(), gatewayId: 'g' }),
			);
			await knows(ada, HALL, 'Its sensor is offline');
		});

		it('lists the alerts of buildings that the account may see, each with its last state', async () => {
			const alert = (id: string, building: RetainedBuilding, state: Alert['state']): Alert => ({
				id,
				domainNames: building.domains,
				buildingId: building.id,
				kind: 'manual',
				severity: 'info',
				state,
				observedAt: Date.now(),
				message: `${building.name} is on fire`,
			});
			const announced = [alert('a', museum, 'open'), alert('z', zoo, 'open'), alert('a', museum, 'resolved')];
			for (const sent of announced) await world.parts.bus.announce(CHANNELS.notifications, JSON.stringify(sent));
			const ada = await world.token(IN_MUSEUM);
			await knows(ada, 'any alerts?', 'Museum is on fire (resolved)');
			expect((await ask(ada, 'any alerts?')).body.answer).toBe('The latest alerts: Museum is on fire (resolved).');
		});
	});

	describe('a conversation', () => {
		it('belongs to one account, which can continue and remove it', async () => {
			const ada = await world.token(IN_MUSEUM);
			const first = (await ask(ada, 'first')).body;
			await ask(ada, 'second', first.conversationId);
			const other = (await ask(ada, 'third')).body;
			const asked = async (token: string) =>
				(await conversations(token)).map(({ turns }) => turns.map(({ question }) => question));
			expect(await asked(ada)).toEqual([['third'], ['first', 'second']]);
			const [newest] = await conversations(ada);
			expect(newest).toEqual({
				id: other.conversationId,
				startedAt: expect.any(Number),
				updatedAt: expect.any(Number),
				turns: [{ at: expect.any(Number), question: 'third', answer: other.answer, citations: [], grounded: false }],
			});

			const eve = await world.token(IN_MUSEUM);
			expect(await asked(eve)).toEqual([]);
			expect((await ask(eve, 'mine now', first.conversationId)).status).toBe(404);
			expect((await llm.call('DELETE', `/conversations/${first.conversationId}`, { token: eve })).status).toBe(404);
			expect((await llm.call('DELETE', '/conversations', { token: eve })).status).toBe(204);
			expect(await asked(ada)).toEqual([['third'], ['first', 'second']]);

			expect((await llm.call('DELETE', `/conversations/${first.conversationId}`, { token: ada })).status).toBe(204);
			expect(await asked(ada)).toEqual([['third']]);
			expect((await llm.call('DELETE', '/conversations', { token: ada })).status).toBe(204);
			expect(await asked(ada)).toEqual([]);
			expect((await llm.call('GET', '/conversations')).status).toBe(401);
		});

		it('is removed beyond 20 newer ones, and loses its oldest turns beyond 50', async () => {
			const ada = await world.token();
			for (let n = 0; n < 22; n++) await ask(ada, `question ${n}`);
			const started = await conversations(ada);
			expect(started).toHaveLength(20);
			expect(started[0]?.turns[0]?.question).toBe('question 21');
			for (let n = 0; n < 52; n++) await ask(ada, `turn ${n}`, started[0]!.id);
			const [grown] = await conversations(ada);
			expect(grown?.turns).toHaveLength(50);
			expect(grown?.turns.at(-1)?.question).toBe('turn 51');
		});

		it('hides the turns that cite a building the account may no longer see', async () => {
			await world.tell(count('museum-1', 'hall', 7));
			const ada = await world.token(IN_MUSEUM);
			await knows(ada, HALL, '7 people in Hall');
			await ask(ada, 'what is the meaning of life?');
			await announce({ ...museum, domains: ['zoo'] });
			await waitFor('the change', async () => (await ask(ada, HALL)).body.citations.length === 0);
			const shown = (await conversations(ada)).flatMap(({ turns }) => turns);
			expect(shown.map(({ question }) => question)).toContain('what is the meaning of life?');
			expect(JSON.stringify(shown)).not.toContain('7 people');
		});
	});
});

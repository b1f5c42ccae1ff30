import type { SessionResponse } from '@crowdvision/contracts';
import { type Answer, openServiceWorld, type Served, type ServiceWorld } from '@crowdvision/testing/service-world';
import { type Auth, type AuthOptions, createAuth } from '../index.ts';

export type Person = { id: string; token: string };

/** Auth served alone, with registered people. */
export interface AuthWorld {
	readonly world: ServiceWorld;
	readonly auth: Served & { service: Auth };
	/** Registers a person with this name. */
	person(name: string): Promise<Person>;
	/** Sends a request as this person; without a token where `as` is undefined. */
	call<T = unknown>(as: Person | undefined, method: string, path: string, body?: unknown): Promise<Answer<T>>;
	/** The person with a refreshed token, which carries the current memberships. */
	refreshed(person: Person): Promise<Person>;
	stop(): Promise<void>;
}

export async function openAuthWorld(options: AuthOptions = {}, stores: { mongoUrl?: string } = {}): Promise<AuthWorld> {
	const world = await openServiceWorld(stores);
	const auth = await world.serve((parts) => createAuth(parts, options));
	return {
		world,
		auth,
		person: async (name) => {
			const body = { email: `${name}@example.org`, password: 'correct horse', name };
			const answer = await auth.call<SessionResponse & { account: { id: string } }>('POST', '/register', { body });
			return { id: answer.body.account.id, token: answer.body.token };
		},
		call: (as, method, path, body) =>
			auth.call(method, path, { ...(as && { token: as.token }), ...(body !== undefined && { body }) }),
		refreshed: async ({ id, token }) => ({
			id,
			token: (await auth.call<SessionResponse>('POST', '/refresh', { token })).body.token,
		}),
		stop: () => world.stop(),
	};
}

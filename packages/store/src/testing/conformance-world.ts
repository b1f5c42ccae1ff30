import { expect } from 'vitest';
import type { Collection, Store, StoreDefinition, Stores } from '../store.ts';
import type { StoreHarness } from './harness.ts';

/** The fixture of each conformance test: an empty engine and a store on it. */
export interface World {
	harness: StoreHarness;
	stores: Stores;
	store: Store;
}

export interface Person {
	name?: string;
	email?: string;
	team?: string;
	age?: number;
	/** Unique among active people. */
	badge?: string;
	active?: boolean;
}

export const DAY_MS = 24 * 3600_000;

export const DEFINITION: StoreDefinition = {
	collections: {
		people: {
			indexes: {
				email: { fields: ['email'], unique: true },
				byTeam: { fields: ['team', 'age'] },
				byAge: { fields: ['age'] },
				badge: { fields: ['badge'], unique: true, where: { active: true } },
			},
		},
		notes: {},
	},
	readings: { readingsMs: 30 * DAY_MS, rollUpsMs: 400 * DAY_MS },
};

export const conflict = expect.objectContaining({ code: 'conflict' });
export const unavailable = expect.objectContaining({ code: 'unavailable' });
/** A mistake in the program, which has no code for a client. */
export const mistake = expect.not.objectContaining({ code: expect.anything() });

export const peopleOf = ({ store }: World): Collection<Person> => store.collection<Person>('people');

/** Closes the stores and opens the same store again. */
export async function reopen(world: World, definition = DEFINITION): Promise<void> {
	await world.stores.close();
	world.stores = await world.harness.open();
	world.store = await world.stores.open('things', definition);
}

export const fulfilled = (results: readonly PromiseSettledResult<unknown>[]): number =>
	results.filter(({ status }) => status === 'fulfilled').length;

export const refusals = (results: readonly PromiseSettledResult<unknown>[]): unknown[] =>
	results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));

import { randomUUID } from 'node:crypto';
import { type Alert, type Membership, type RetainedAccount, TABLES } from '@crowdvision/contracts';
import type { Service } from '@crowdvision/service-kit';
import { openServiceWorld, readingOf, type Served, type ServiceWorld } from '@crowdvision/testing/service-world';
import { createNotification } from '../index.ts';
import type { NotificationSettings } from '../settings.ts';
import { HALL } from './hall.ts';

/** Somebody whom notification knows from the bus. */
export interface Person {
	id: string;
	token: string;
}

/** Notification served alone, with the hall of a museum. */
export interface CallingWorld {
	readonly world: ServiceWorld;
	/** Of the present run. */
	readonly notification: Served & { service: Service };
	/** A person whose account is on the bus; of the museum unless told otherwise. */
	person(name: string, account?: Partial<RetainedAccount>): Promise<Person>;
	/** So many people are in the hall now. */
	count(people: number): Promise<void>;
	alerts(): Promise<Alert[]>;
	/** Serves notification again, on the same data. */
	again(): Promise<void>;
	metric(name: string): Promise<number>;
	stop(): Promise<void>;
}

export const STAFF: Membership[] = [{ domainName: 'museum', role: 'business_staff' }];
export const ADMIN: Membership[] = [{ domainName: 'museum', role: 'business_admin' }];

export async function openCallingWorld(
	settings: Partial<NotificationSettings>,
	options: { mongoUrl?: string } = {},
): Promise<CallingWorld> {
	const world = await openServiceWorld(options);
	await world.parts.bus.retain(TABLES.buildings, HALL.id, JSON.stringify(HALL));
	const serve = () => world.serve((parts) => createNotification(parts, { settings }));
	let notification = await serve();
	let observedAt = Date.now();
	const admin = await world.token(...ADMIN);
	return {
		world,
		get notification() {
			return notification;
		},
		person: async (name, account = {}) => {
			const id = randomUUID();
			const known: RetainedAccount = {
				...{
					name,
					email: `${name.toLowerCase()}@example.org`,
					emailConfirmed: true,
					memberships: STAFF,
					generation: 0,
				},
				...account,
			};
			await world.parts.bus.retain(TABLES.accounts, id, JSON.stringify(known));
			const token = await world.parts.tokens.signAccount({ id, name, memberships: known.memberships });
			return { id, token };
		},
		count: async (people) => {
			observedAt = Math.max(observedAt + 1, Date.now());
			await world.tell(
				readingOf({ buildingId: HALL.id, roomId: 'hall', metric: 'peopleCount', value: people, observedAt }),
			);
		},
		alerts: async () => (await notification.call<{ alerts: Alert[] }>('GET', '/alerts', { token: admin })).body.alerts,
		again: async () => {
			await notification.close();
			notification = await serve();
		},
		metric: async (name) => {
			const { body } = await notification.call<string>('GET', '/metrics');
			return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body)?.[1]);
		},
		stop: () => world.stop(),
	};
}

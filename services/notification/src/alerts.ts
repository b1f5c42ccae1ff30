import type { AccountClaims, Alert, RetainedBuilding } from '@crowdvision/contracts';
import { CrowdVisionError } from '@crowdvision/contracts';
import { type BuildingDirectory, requireRole } from '@crowdvision/service-kit';
import type { SqliteDatabase, Statement } from '@crowdvision/store';
import type { RetainedRoom, Rule } from './rules.ts';

const UNIT_TEXT: Partial<Record<Rule['kind'], string>> = { occupancy: ' people', temperature: ' °C' };

/** The alert that a rule opens or resolves in a room. Without a limit: it was taken away while the alert was open. */
export function alertOf(
	id: string,
	state: 'open' | 'resolved',
	building: RetainedBuilding,
	room: Pick<RetainedRoom, 'id' | 'name'>,
	rule: Pick<Rule, 'kind' | 'severity'> & { limit?: number },
	observation: { value?: number; observedAt: number },
): Alert {
	const { kind, severity, limit } = rule;
	const { value } = observation;
	const measured = value === undefined ? '' : `${Math.round(value * 10) / 10}${UNIT_TEXT[kind] ?? ''}, `;
	const told = state === 'open' ? `more than the ${limit} allowed` : limit === undefined ? 'no longer limited' : `back within the limit of ${limit}`;
	return {
		id,
		domainNames: building.domains,
		buildingId: building.id,
		roomId: room.id,
		kind,
		severity,
		state,
		...(value !== undefined && { value }),
		...(limit !== undefined && { limit }),
		observedAt: observation.observedAt,
		message: `${room.name}: ${measured}${told}`,
	};
}

/** Keeps an alert as it stands now and puts it into the outbox; part of the transaction of what changed it. */
export function keepAlert(alert: Alert): Statement[] {
	const json = JSON.stringify(alert);
	return [
		{
			sql: `INSERT INTO alerts (id, building, room, kind, state, alert) VALUES (?, ?, ?, ?, ?, ?)
				ON CONFLICT (id) DO UPDATE SET state = excluded.state, alert = excluded.alert`,
			params: [alert.id, alert.buildingId, alert.roomId ?? null, alert.kind, alert.state, json],
		},
		{ sql: 'INSERT INTO outbox (alert) VALUES (?)', params: [json] },
	];
}

/** The alerts there were and are. Who may see one follows from its building's domains as they are now; of no known domain: nobody. */
export class Alerts {
	readonly #database: SqliteDatabase;
	readonly #directory: BuildingDirectory;

	constructor(database: SqliteDatabase, directory: BuildingDirectory) {
		this.#database = database;
		this.#directory = directory;
	}

	/** The newest `limit` of those the caller may see. */
	async list(memberships: AccountClaims['memberships'], limit: number): Promise<Alert[]> {
		const visible = this.#directory.visibleTo(memberships).map(({ id }) => id);
		const rows = await this.#database.all<{ alert: string }>(
			'SELECT alert FROM alerts WHERE building IN (SELECT value FROM json_each(?)) ORDER BY number DESC LIMIT ?',
			[JSON.stringify(visible), limit],
		);
		return rows.map(({ alert }) => JSON.parse(alert) as Alert);
	}

	/**
	 * Notes who takes care of an alert; done once, however often it is asked for.
	 * @throws CrowdVisionError `not_found`, `forbidden` below business_staff, `conflict` when it is over.
	 */
	async acknowledge(id: string, { sub, memberships }: Pick<AccountClaims, 'sub' | 'memberships'>): Promise<Alert> {
		const row = await this.#database.get<{ alert: string }>('SELECT alert FROM alerts WHERE id = ?', [id]);
		const alert = row && (JSON.parse(row.alert) as Alert);
		const domains = (alert && this.#directory.get(alert.buildingId)?.domains) ?? [];
		requireRole({ memberships }, domains, 'business_staff', 'such alert');
		if (!alert || alert.state === 'resolved') throw new CrowdVisionError('conflict', 'This alert is over');
		if (alert.state === 'acknowledged') return alert;
		const acknowledged: Alert = { ...alert, state: 'acknowledged' };
		await this.#database.transaction([...keepAlert(acknowledged), { sql: 'UPDATE alerts SET acknowledged_by = ? WHERE id = ?', params: [sub, id] }]);
		return acknowledged;
	}
}

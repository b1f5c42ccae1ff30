/** What a tenant is shown in every service, and whether it is its own. */
import type { Answer, BuildingState } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { connectDashboard } from '../support/live-dashboards.ts';
import type { Accounts } from './accounts.ts';
import type { Site } from './site.ts';
import { BUILDING_IDS, type Building, ROOM_IDS, SENSOR_IDS, type Sent, type TenantName } from './whose.ts';

const PATIENCE_MS = 60_000;
/** The values that the histories send; digits inside an id are none. */
const SHOWN_VALUE = /(?<![\w.-])2\d{4}(?![\w-])/g;

/** A question that names the room, of all buildings. */
const questionOn = (building: string, room: string) => `How many people are in ${building} ${room}?`;

type Whose = (sent: Sent) => boolean;

export class Shown {
	readonly #site: Site;
	readonly #accounts: Accounts;
	readonly #buildings: ReadonlyMap<string, Building>;
	readonly #sent: ReadonlyMap<number, Sent>;

	constructor(
		site: Site,
		accounts: Accounts,
		buildings: ReadonlyMap<string, Building>,
		sent: ReadonlyMap<number, Sent>,
	) {
		this.#site = site;
		this.#accounts = accounts;
		this.#buildings = buildings;
		this.#sent = sent;
	}

	async ask(by: TenantName, question = 'How many people are there?'): Promise<string> {
		return (await this.#accounts.call<Answer>(by, 'POST', '/llm/ask', { question })).answer;
	}

	/** Waits until every service has what was sent last, so that what is not shown is not merely late. */
	async settled(id: string, { by, last }: Building): Promise<void> {
		for (const [room, value] of last) {
			const hasState = async () => {
				const state = await this.#accounts.call<BuildingState>(by, 'GET', `/twin/buildings/${id}/state`);
				return state.rooms[room]?.values.peopleCount?.value === value;
			};
			await waitFor(`the state of ${id}/${room} to be ${value}`, hasState, PATIENCE_MS);
			const hasAlert = async () => {
				const { alerts } = await this.#accounts.call<{
					alerts: { buildingId: string; roomId: string; state: string }[];
				}>(by, 'GET', '/notification/alerts');
				return alerts.some((alert) => alert.buildingId === id && alert.roomId === room && alert.state === 'open');
			};
			await waitFor(`an alert of ${id}/${room}`, hasAlert, PATIENCE_MS);
			const hasAnswer = async () => plain(await this.ask(by, questionOn(id, room))).includes(value);
			await waitFor(`the answer on ${id}/${room}`, hasAnswer, PATIENCE_MS);
		}
	}

	/** Every value that a tenant is shown and that is not its own, as a sentence. */
	async leaksTo(tenant: TenantName): Promise<string[]> {
		const get = async (path: string) => (await this.#accounts.ask(tenant, 'GET', path)).text;
		const own = [...this.#buildings.values()].filter(({ by }) => by === tenant);
		const ofBuilding: Whose = (sent) => own.some(({ incarnation }) => sent.building === incarnation);
		const ofRoom: Whose = (sent) =>
			own.some(({ rooms }) => ofBuilding(sent) && [...rooms.values()].includes(sent.room));
		// A reading for a room that its own building did not have.
		const isGone: Whose = (sent) => sent.room === -1 && ofBuilding(sent);
		const ofTenant: Whose = (sent) => sent.by === tenant;
		const shown: [what: string, text: string, isAllowed: Whose][] = [];
		shown.push(['alerts', await get('/notification/alerts?limit=500'), ofBuilding]);
		const questions = BUILDING_IDS.flatMap((id) => ROOM_IDS.map((room) => questionOn(id, room)));
		for (const question of [...questions, 'Which alerts are there?'])
			shown.push([question, await this.ask(tenant, question), ofBuilding]);
		shown.push(['conversations', await get('/llm/conversations'), ofBuilding]);
		const traces = SENSOR_IDS.map((id) => `/gateway/trace?sensor=${id}`);
		for (const path of ['/gateway/devices', '/gateway/rejected', ...traces])
			shown.push([path, await get(path), ofTenant]);
		for (const id of BUILDING_IDS) {
			for (const path of ['', '/state', '/sensors', '/history?metric=peopleCount&agg=max&bucket=1m'])
				shown.push([path, await get(`/twin/buildings/${id}${path}`), ofRoom]);
			for (const room of ROOM_IDS) shown.push(['audit', await get(`/gateway/rooms/${id}/${room}/audit`), ofRoom]);
			const live = await this.#live(tenant, id);
			shown.push([`live updates of ${id}`, live, (sent) => ofRoom(sent) || isGone(sent)]);
		}
		return shown.flatMap(([what, text, isAllowed]) =>
			plain(text).flatMap((value) => {
				const sent = this.#sent.get(value);
				return sent && !isAllowed(sent) ? [`${tenant} was shown ${value} of ${sent.by} in ${what}`] : [];
			}),
		);
	}

	/** Everything that a dashboard gets of a building from the beginning of the stream. */
	async #live(tenant: TenantName, id: string): Promise<string> {
		const dashboard = await connectDashboard(this.#site.http, this.#accounts.tokenOf(tenant));
		try {
			const outcome = await dashboard.subscribe(id, '0');
			if (!outcome.ok) return '';
			const last = [...(this.#buildings.get(id)?.last.values() ?? [])];
			const hasAll = () => last.every((value) => dashboard.values().includes(value));
			await waitFor(`the live updates of ${id}`, hasAll, PATIENCE_MS);
			return JSON.stringify([dashboard.readings, dashboard.alerts, dashboard.devices, dashboard.superseded]);
		} finally {
			dashboard.close();
		}
	}
}

/** The numbers in a text that may be values. */
function plain(text: string): number[] {
	return [...text.replace(/(\d),(?=\d{3}\b)/g, '$1').matchAll(SHOWN_VALUE)].map(([digits]) => Number(digits));
}

/** Every HTTP request that the page sends, by service. */
import type {
	Alert,
	Answer,
	Building,
	BuildingColumns,
	BuildingState,
	BuildingSummary,
	Corrected,
	CorrectionRequest,
	CountChange,
	HistoryPoint,
	InvitationView,
	Membership,
	MemberView,
	MetricsResponse,
	RecoveryView,
	ResetLink,
	SessionResponse,
	SessionView,
} from '@crowdvision/contracts';
import { everyPage } from '../lib/requests/every-page.ts';
import { sitePath } from '../lib/requests/site-path.ts';
import { request } from './http.ts';

/** Every request the page sends, grouped by service. All of them reject with ApiError. */

export interface Account {
	id: string;
	name: string;
	/** Absent where the account signs in through a provider only, without a password. */
	email?: string;
	memberships: Membership[];
}

export interface Credentials {
	email: string;
	password: string;
}

/** The path of a page of a list; of the first one without a cursor. */
function paged(path: `/${string}`, cursor: string | undefined, limit?: number): `/${string}` {
	const query = new URLSearchParams({
		...(limit !== undefined && { limit: String(limit) }),
		...(cursor !== undefined && { cursor }),
	});
	return query.size === 0 ? path : `${path}?${query}`;
}
/** Items that are shown before the reader asks for more. */
const SHOWN = 20;

export const getFirstRun = () => request<{ empty: boolean }>('GET', '/auth/first-run');
export const register = (account: Credentials & { name: string }) =>
	request<unknown>('POST', '/auth/register', { body: account });
export const login = (credentials: Credentials) =>
	request<SessionResponse>('POST', '/auth/login', { body: credentials });
export const getAccount = () => request<Account>('GET', '/auth/me');
/** Renews the session cookie, with the account's current memberships in it. */
export const refreshSession = () => request<SessionResponse>('POST', '/auth/refresh');
export const logout = () => request<unknown>('POST', '/auth/logout');
/** The domains whose identity provider fits a domain's name or an e-mail address. */
export const findProviders = (typed: string, signal: AbortSignal) =>
	request<{ domains: string[] }>('GET', `/auth/providers?${new URLSearchParams({ for: typed })}`, { signal });
export const getRecovery = () => request<RecoveryView>('GET', '/auth/recovery');
/** Has a link sent by which to set a new password; says nothing about whether there is such an account. */
export const forgotPassword = (email: string) =>
	request<unknown>('POST', '/auth/password/forgotten', { body: { email } });
export const resetPassword = (token: string, newPassword: string) =>
	request<unknown>('POST', '/auth/password/reset', { body: { token, newPassword } });
/** A page of the account's open sessions. */
export const getSessions = (cursor?: string) =>
	request<{ sessions: SessionView[]; nextCursor?: string }>('GET', paged('/auth/sessions', cursor, SHOWN));
export const endSession = (id: string) => request<unknown>('DELETE', `/auth/sessions/${encodeURIComponent(id)}`);
/** Ends all sessions of the account but this browser's. */
export const endOtherSessions = () => request<SessionResponse>('DELETE', '/auth/sessions');
/** Ends every other session of the account. */
export const changePassword = (password: string, newPassword: string) =>
	request<SessionResponse>('PUT', '/auth/me/password', { body: { password, newPassword } });
/** @param password undefined for an account without one */
export const deleteAccount = (password: string | undefined) =>
	request<unknown>('DELETE', '/auth/me', { body: password === undefined ? {} : { password } });
/** All of the account's own invitations into domains. */
export const getInvitations = () =>
	everyPage(async (cursor) => {
		type Page = { invitations: InvitationView[]; nextCursor?: string };
		const { invitations, nextCursor } = await request<Page>('GET', paged('/auth/invitations', cursor));
		return { items: invitations, nextCursor };
	});
export const acceptInvitation = (id: string) =>
	request<unknown>('POST', `/auth/invitations/${encodeURIComponent(id)}/accept`);
export const declineInvitation = (id: string) =>
	request<unknown>('DELETE', `/auth/invitations/${encodeURIComponent(id)}`);
export const createDomain = (name: string) => request<unknown>('POST', '/auth/domains', { body: { name } });

const membersPath = (domain: string) => `/auth/domains/${encodeURIComponent(domain)}/members` as const;
/** A page of a domain's members. */
export const getMembers = (domain: string, cursor?: string) =>
	request<{ members: MemberView[]; nextCursor?: string }>('GET', paged(membersPath(domain), cursor, SHOWN));
/** Makes a link by which a member sets a new password. The service shows it only in this answer. */
export const createResetLink = (domain: string, accountId: string) =>
	request<ResetLink>('POST', `${membersPath(domain)}/${encodeURIComponent(accountId)}/password-reset`);

/** Creates a device token. The service shows it only in this answer. */
export const createDevice = (domain: string, device: { name: string; buildingId?: string; sensorIds?: string[] }) =>
	request<{ deviceId: string; token: string }>('POST', `/auth/domains/${encodeURIComponent(domain)}/devices`, {
		body: device,
	});

const buildingPath = (id: string) => `/twin/buildings/${encodeURIComponent(id)}` as const;

export const getMetrics = () => request<MetricsResponse>('GET', '/twin/metrics');
/** All buildings of the account's domains. */
export const getBuildings = () =>
	everyPage(async (cursor) => {
		type Page = { buildings: BuildingSummary[]; nextCursor?: string };
		const { buildings, nextCursor } = await request<Page>('GET', paged('/twin/buildings', cursor));
		return { items: buildings, nextCursor };
	});
export const createBuilding = (building: unknown) =>
	request<Partial<Building> | undefined>('POST', '/twin/buildings', { body: building });
export const getBuildingState = (id: string, signal: AbortSignal) =>
	request<BuildingState>('GET', `${buildingPath(id)}/state`, { signal });

export const getColumns = (id: string, signal: AbortSignal) =>
	request<BuildingColumns>('GET', `${buildingPath(id)}/columns`, { signal });

export interface HistoryQuery {
	room: string;
	metric: string;
	/** Epoch ms. */
	from: number;
	to: number;
	/** Length of a bucket, such as `5m`. */
	bucket: string;
	agg: 'avg' | 'min' | 'max' | 'sum' | 'last' | 'count';
}

export function getHistory(
	buildingId: string,
	{ from, to, ...rest }: HistoryQuery,
	signal: AbortSignal,
): Promise<{ points: HistoryPoint[] }> {
	const query = new URLSearchParams({ ...rest, from: String(Math.floor(from)), to: String(Math.floor(to)) });
	return request('GET', `${buildingPath(buildingId)}/history?${query}`, { signal });
}

/** The address of the samples behind a history, as CSV. */
export function exportHref(
	buildingId: string,
	{ room, metric, from, to }: Pick<HistoryQuery, 'room' | 'metric' | 'from' | 'to'>,
): string {
	const query = new URLSearchParams({ room, metric, from: String(Math.floor(from)), to: String(Math.floor(to)) });
	return sitePath(`${buildingPath(buildingId)}/export?${query}`);
}

const roomPath = (buildingId: string, roomId: string) =>
	`/gateway/rooms/${encodeURIComponent(buildingId)}/${encodeURIComponent(roomId)}` as const;

/** Sets the count of a room to the people who are really in it. */
export const correctCount = (buildingId: string, roomId: string, correction: CorrectionRequest) =>
	request<Corrected>('POST', `${roomPath(buildingId, roomId)}/correction`, { body: correction });
/** The last `limit` changes of a room's count, the newest first. */
export const getCountAudit = (buildingId: string, roomId: string, limit: number, signal: AbortSignal) =>
	request<{ changes: CountChange[] }>('GET', `${roomPath(buildingId, roomId)}/audit?limit=${limit}`, { signal });

/** A page of the alerts, unresolved ones first; the next one begins at `nextCursor`. */
export const getAlerts = (cursor?: string) =>
	request<{ alerts: Alert[]; nextCursor?: string }>('GET', paged('/notification/alerts', cursor));
/** Resolves with the acknowledged alert. */
export const acknowledgeAlert = (id: string) =>
	request<Alert>('POST', `/notification/alerts/${encodeURIComponent(id)}/ack`);

export const ask = (question: string, signal: AbortSignal) =>
	request<Answer>('POST', '/llm/ask', { body: { question }, signal, timeoutMs: 60_000 });

import { AUTH_OPERATIONS } from './auth-api.ts';
import { GATEWAY_OPERATIONS } from './gateway-api.ts';
import { LLM_OPERATIONS } from './llm-api.ts';
import { NOTIFICATION_OPERATIONS } from './notification-api.ts';
import type { Operation } from './operation.ts';
import { TWIN_OPERATIONS } from './twin-api.ts';

export * from './operation.ts';

/** Every request of the HTTP API, by service. */
export const OPERATIONS: Readonly<Record<'auth' | 'twin' | 'notification' | 'llm' | 'gateway', readonly Operation[]>> =
	{
		auth: AUTH_OPERATIONS,
		twin: TWIN_OPERATIONS,
		notification: NOTIFICATION_OPERATIONS,
		llm: LLM_OPERATIONS,
		gateway: GATEWAY_OPERATIONS,
	};

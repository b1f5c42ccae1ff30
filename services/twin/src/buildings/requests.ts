import { callerOf, type Request } from '@crowdvision/service-kit';
import type { Memberships } from './access.ts';

/** What routes below `/buildings/{id}` read from a request. */
export const idOf = (request: Request): string => String(request.params.id);
export const memberships = (request: Request): Memberships => callerOf(request).memberships;
export const ifMatch = (request: Request): string | undefined => request.headers['if-match'];

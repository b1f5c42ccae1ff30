import type { Operation } from './operation.ts';

export const AUTH_OPERATIONS: readonly Operation[] = [];

import type { Operation } from './operation.ts';

export const TWIN_OPERATIONS: readonly Operation[] = [];

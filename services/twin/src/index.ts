export { retentionOf, TWIN_SETTINGS } from './config.ts';
export { history } from './history.ts';
export { parseHistoryQuery } from './history-query.ts';
export { rollUpStale } from './roll-up.ts';
export { createTwin, type Twin } from './service.ts';

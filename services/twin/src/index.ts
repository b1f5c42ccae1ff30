export { history } from './history/history.ts';
export { parseHistoryQuery } from './history/history-query.ts';
export { rollUpStale } from './history/roll-up.ts';
export { createTwin, type Twin } from './service.ts';
export { retentionOf, TWIN_SETTINGS } from './settings.ts';

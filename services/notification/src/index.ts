export { createNotification } from './service.ts';
export { NOTIFICATION_SETTINGS } from './settings.ts';

export { createNotification, type NotificationContext, type NotificationOptions } from './service.ts';

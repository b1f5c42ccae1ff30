export { createNotification } from './service.ts';

export { type Auth, type AuthOptions, createAuth } from './service.ts';
export { AUTH_SETTINGS } from './settings.ts';

export { type Auth, type AuthContext, type AuthOptions, createAuth } from './service.ts';
export { AUTH_SETTINGS } from './settings.ts';

export { type Auth, type AuthContext, createAuth } from './service.ts';

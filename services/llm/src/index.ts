export { createLlm } from './service.ts';

export { createTwin, type Twin, type TwinContext } from './service.ts';

export { createLlm, type LlmContext } from './service.ts';

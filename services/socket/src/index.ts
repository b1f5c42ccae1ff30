export { createSocket, type SocketOptions } from './service.ts';

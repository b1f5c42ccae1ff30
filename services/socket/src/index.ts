export { createSocket, type SocketContext, type SocketOptions } from './service.ts';

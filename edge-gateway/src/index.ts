export { GATEWAY_SETTINGS, GatewayFile } from './configuration/config.ts';
export { startConfiguration } from './configuration/start.ts';
export { openTelemetryLog } from './gateway/storage.ts';
export { createGateway } from './gateway.ts';

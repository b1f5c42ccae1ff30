export { GATEWAY_SETTINGS, GatewayFile } from './configuration/config.ts';
export { startConfiguration } from './configuration/start.ts';
export { createGateway, openClock, openTelemetryLog } from './gateway.ts';

export { GATEWAY_SETTINGS, type GatewayConfig, GatewayFile, readGatewayConfig } from './configuration/config.ts';
export { startConfiguration } from './configuration/start.ts';
export { createGateway, type Gateway, openClock, openTelemetryLog } from './gateway.ts';

export { GATEWAY_SETTINGS, type GatewayConfig, GatewayFile, readGatewayConfig } from './config.ts';
export { createGateway, type Gateway, openClock, openTelemetryLog } from './gateway.ts';

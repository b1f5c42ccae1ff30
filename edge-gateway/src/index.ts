export { GATEWAY_SETTINGS, type GatewayConfig, GatewayFile, readGatewayConfig } from './config.ts';
export { createGateway, type Gateway, openTelemetryLog } from './gateway.ts';

/** What other workspaces may use of the gateway: its composition, its configuration and its settings. */
export { GATEWAY_SETTINGS } from './configuration/gateway-config.ts';
export { GatewayFile } from './configuration/gateway-file.ts';
export { startConfiguration } from './configuration/start.ts';
export { openTelemetryLog } from './gateway/storage.ts';
export { tokenClock } from './gateway/token-clock.ts';
export { createGateway } from './gateway.ts';

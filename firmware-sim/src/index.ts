/** What tests and the demo use of the simulator. */
export { type Fleet, type FleetLinks, startFleet } from './fleet/fleet.ts';
export { serialLink } from './links/serial.ts';
export { createNullModem, type NullModem } from './null-modem.ts';
export type { DeviceReading } from './reading.ts';

import { camera } from './camera.ts';
import { climate } from './climate.ts';
import { co2 } from './co2.ts';
import { doorCounter } from './door-counter.ts';
import type { SensorKind } from './kind.ts';
import { noise } from './noise.ts';

/** Every kind of sensor; the name is the last part of a sensor's id. */
export const KINDS = { door: doorCounter, camera, climate, co2, noise } as const satisfies Record<string, SensorKind>;
export type KindName = keyof typeof KINDS;
export const KIND_NAMES = Object.keys(KINDS) as KindName[];

import type { BridgeStatus } from '@crowdvision/contracts';

/** The state of a bridge, as `GET /gateway/bridges` and its state topic report it. */
export type BridgeReport = BridgeStatus;

export type LinkPhase = BridgeStatus['state'];

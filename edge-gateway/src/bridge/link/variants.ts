import type { BridgeSettings } from '../config/bridge-settings.ts';

/** The protocol versions with which to try to connect, best first. Each is for a remote that refuses the one before. */
export function variantsOf({
	protocol,
	bridgeBit,
}: Pick<BridgeSettings, 'protocol' | 'bridgeBit'>): { protocol: 4 | 5; bridgeBit: boolean }[] {
	const v5 = { protocol: 5 as const, bridgeBit: false };
	const asBridge = { protocol: 4 as const, bridgeBit: true };
	const plain = { protocol: 4 as const, bridgeBit: false };
	return [
		...(protocol !== '3.1.1' ? [v5] : []),
		...(protocol !== '5' ? [...(bridgeBit ? [asBridge] : []), plain] : []),
	];
}

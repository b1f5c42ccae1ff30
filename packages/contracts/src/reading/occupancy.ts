export type Occupancy = 'empty' | 'normal' | 'crowded' | 'full' | 'overcrowded';

/** The status of a room by its share of capacity: normal up to 50 %, crowded up to 95 %, full up to 100 %. */
export function occupancy(count: number, capacity: number): Occupancy {
	if (count <= 0) return 'empty';
	if (count > capacity) return 'overcrowded';
	const share = count / capacity;
	if (share <= 0.5) return 'normal';
	return share <= 0.95 ? 'crowded' : 'full';
}

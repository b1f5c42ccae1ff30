import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it } from 'vitest';
import type { World } from './conformance-world.ts';

/** Guarantees of live messages and retained values. */
export function describeLive(world: World): void {
	describe('announce and listen', () => {
		it('reaches the present listeners on every bus, in order, and nobody else', async () => {
			const other = await world.harness.open();
			const received: string[] = [];
			const late: string[] = [];
			await world.bus.announce('notifications', 'too early');
			const here = await world.bus.listen('notifications', (message) => received.push(`here ${message}`));
			await other.listen('notifications', (message) => received.push(`there ${message}`));
			await other.listen('devices', (message) => received.push(`wrong ${message}`));
			await world.bus.announce('notifications', '1');
			await waitFor('both', () => received.length === 2);
			await here.close();
			await world.bus.listen('notifications', (message) => late.push(message));
			await other.announce('notifications', '2');
			await waitFor('the rest', () => received.length === 3 && late.length === 1);
			expect([...received].sort()).toEqual(['here 1', 'there 1', 'there 2']);
			expect(late).toEqual(['2']);
		});

		it('goes on to the other listeners when one throws', async () => {
			const received: string[] = [];
			await world.bus.listen('notifications', () => {
				throw new Error('a bad listener');
			});
			await world.bus.listen('notifications', (message) => received.push(message));
			await world.bus.announce('notifications', '1');
			await world.bus.announce('notifications', '2');
			await waitFor('both', () => received.length === 2);
			expect(received).toEqual(['1', '2']);
		});
	});

	describe('retain and watch', () => {
		it('report the present values, then each change, to every watcher until it is closed', async () => {
			const other = await world.harness.open();
			await world.bus.retain('registry:buildings', 'b1', 'one');
			await world.bus.retain('registry:buildings', 'b2', 'two');
			await world.bus.retain('registry:buildings', 'b2', null);
			await world.bus.retain('registry:sensors', 's1', 'elsewhere');
			const state = new Map<string, string | null>();
			const changes: [string, string | null][] = [];
			await world.bus.watch('registry:buildings', () => {
				throw new Error('a bad watcher');
			});
			const watch = await world.bus.watch('registry:buildings', (key, value) => void state.set(key, value));
			await other.watch('registry:buildings', (key, value) => void changes.push([key, value]));
			expect([...state]).toEqual([['b1', 'one']]);
			expect(changes).toEqual([['b1', 'one']]);
			await other.retain('registry:buildings', 'b3', 'three');
			await world.bus.retain('registry:buildings', 'b1', null);
			await waitFor('the changes', () => state.get('b1') === null && changes.length === 3);
			expect(state.get('b3')).toBe('three');
			expect(changes).toEqual([
				['b1', 'one'],
				['b3', 'three'],
				['b1', null],
			]);
			await watch.close();
			await world.bus.retain('registry:buildings', 'b4', 'four');
			await waitFor('the other watcher', () => changes.length === 4);
			expect(state.has('b4')).toBe(false);
		});
	});
}

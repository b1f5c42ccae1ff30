import type { CommandToDevice } from '@crowdvision/contracts';
import { describe, expect, it, vi } from 'vitest';
import { Faults } from '../faults.ts';
import type { Answer } from '../links/link.ts';
import { Commands } from './commands.ts';

const NOW = Date.UTC(2026, 10, 28);

function aDevice({ faults = [] as string[], clock = () => NOW } = {}) {
	const done: unknown[] = [];
	const answers: Answer[] = [];
	const commands = new Commands({
		actions: {
			identify: (args) => {
				done.push(args);
				return 'blinked';
			},
			jam: () => {
				throw new Error('it is stuck');
			},
		},
		clock,
		faults: new Faults(faults),
	});
	const receive = (command: Partial<CommandToDevice> = {}) =>
		commands.onCommand(
			{ id: 'c1', sensorId: 'door', name: 'identify', deadline: NOW + 60_000, ttlMs: 60_000, ...command },
			(answer) => answers.push(answer),
		);
	return { commands, done, answers, receive };
}

describe('a device', () => {
	it('executes a command once however often it arrives, and gives the same answer each time', () => {
		const { commands, done, answers, receive } = aDevice();
		for (let times = 0; times < 3; times++) receive({ args: times });
		expect(done).toEqual([0]);
		expect(answers).toEqual(Array(3).fill({ outcome: 'executed', detail: 'blinked' }));
		expect(commands.stats()).toEqual({ received: 3, repeated: 2, executed: 1, failed: 0, expired: 0 });
	});

	it('does not execute an expired command: by its clock, and without a set clock by its time to live', () => {
		for (const late of [{ deadline: NOW - 1 }, { ttlMs: 0 }]) {
			const { done, answers, receive } = aDevice();
			receive(late);
			expect({ done, outcome: answers[0]?.outcome }).toEqual({ done: [], outcome: 'expired' });
		}
		const unset = aDevice({ clock: () => 5000 });
		unset.receive({ deadline: NOW - 1 });
		expect(unset.done).toHaveLength(1);
		unset.receive({ id: 'c2', ttlMs: 0 });
		expect(unset.done).toHaveLength(1);
	});

	it('answers that it failed if it does not know a command or cannot execute it', () => {
		const { answers, receive } = aDevice();
		receive({ name: 'fly' });
		receive({ id: 'c2', name: 'jam' });
		receive({ id: 'c3', name: 'constructor' });
		expect(answers).toEqual([
			{ outcome: 'failed', detail: 'this device knows no such command' },
			{ outcome: 'failed', detail: 'it is stuck' },
			{ outcome: 'failed', detail: 'this device knows no such command' },
		]);
	});

	it('may, with faults, ignore a command, answer twice, or be so slow that a command expires', () => {
		const deaf = aDevice({ faults: ['deaf:1'] });
		deaf.receive();
		expect(deaf.answers).toEqual([]);
		const eager = aDevice({ faults: ['answers-twice:1'] });
		eager.receive();
		expect({ done: eager.done.length, answers: eager.answers.length }).toEqual({ done: 1, answers: 2 });
		vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
		try {
			const slow = aDevice({ faults: ['slow:1'] });
			slow.receive();
			slow.receive({ id: 'c2', ttlMs: 1000 });
			expect(slow.answers).toEqual([]);
			vi.advanceTimersByTime(2000);
			expect(slow.answers.map(({ outcome }) => outcome)).toEqual(['executed', 'expired']);
		} finally {
			vi.useRealTimers();
		}
	});
});

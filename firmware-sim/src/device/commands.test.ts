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
	const hear = (command: Partial<CommandToDevice> = {}) =>
		commands.take(
			{ id: 'c1', sensorId: 'door', name: 'identify', deadline: NOW + 60_000, ttlMs: 60_000, ...command },
			(answer) => answers.push(answer),
		);
	return { commands, done, answers, hear };
}

describe('a device', () => {
	it('executes a command once however often it comes, and says the same each time', () => {
		const { commands, done, answers, hear } = aDevice();
		for (let times = 0; times < 3; times++) hear({ args: times });
		expect(done).toEqual([0]);
		expect(answers).toEqual(Array(3).fill({ outcome: 'executed', detail: 'blinked' }));
		expect(commands.stats()).toEqual({ heard: 3, repeated: 2, executed: 1, failed: 0, expired: 0 });
	});

	it('does not execute what is late: by its clock, and without one by the time it was told', () => {
		for (const late of [{ deadline: NOW - 1 }, { ttlMs: 0 }]) {
			const { done, answers, hear } = aDevice();
			hear(late);
			expect({ done, outcome: answers[0]?.outcome }).toEqual({ done: [], outcome: 'expired' });
		}
		const unset = aDevice({ clock: () => 5000 });
		unset.hear({ deadline: NOW - 1 });
		expect(unset.done).toHaveLength(1);
		unset.hear({ id: 'c2', ttlMs: 0 });
		expect(unset.done).toHaveLength(1);
	});

	it('says what it does not know, and what it could not do', () => {
		const { answers, hear } = aDevice();
		hear({ name: 'fly' });
		hear({ id: 'c2', name: 'jam' });
		hear({ id: 'c3', name: 'constructor' });
		expect(answers).toEqual([
			{ outcome: 'failed', detail: 'this device knows no such command' },
			{ outcome: 'failed', detail: 'it is stuck' },
			{ outcome: 'failed', detail: 'this device knows no such command' },
		]);
	});

	it('may be deaf, answer twice, or be so slow that a command is late before it is done', () => {
		const deaf = aDevice({ faults: ['deaf:1'] });
		deaf.hear();
		expect(deaf.answers).toEqual([]);
		const eager = aDevice({ faults: ['answers-twice:1'] });
		eager.hear();
		expect({ done: eager.done.length, answers: eager.answers.length }).toEqual({ done: 1, answers: 2 });
		vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
		try {
			const slow = aDevice({ faults: ['slow:1'] });
			slow.hear();
			slow.hear({ id: 'c2', ttlMs: 1000 });
			expect(slow.answers).toEqual([]);
			vi.advanceTimersByTime(2000);
			expect(slow.answers.map(({ outcome }) => outcome)).toEqual(['executed', 'expired']);
		} finally {
			vi.useRealTimers();
		}
	});
});

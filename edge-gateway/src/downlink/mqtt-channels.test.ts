import { expect, it } from 'vitest';
import { isLateCommand } from './mqtt-channels.ts';

it('isLateCommand recognizes a command by its topic, and that it is late by its deadline', () => {
	const at = (deadline: unknown) => ({
		topic: 'command/door',
		payload: Buffer.from(JSON.stringify({ id: 'c1', name: 'identify', deadline })),
	});
	expect([999, 1000, 1001, '1', undefined].map((deadline) => isLateCommand(at(deadline), 1000))).toEqual([
		true,
		true,
		false,
		false,
		false,
	]);
	expect(isLateCommand({ ...at(1), topic: 'status/door' }, 1000)).toBe(false);
	for (const payload of ['', 'null', '7', '{', '[]'])
		expect(isLateCommand({ topic: 'command/door', payload }, 1000)).toBe(false);
});

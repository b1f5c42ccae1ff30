import { describe, expect, it } from 'vitest';
import type { TextFile } from './files.ts';
import { type Oversize, sizeProblems } from './sizes.ts';

const LIST = 'list.ts';
const check = (files: TextFile[], exceptions: Partial<Oversize> = {}) =>
	sizeProblems(files, { files: {}, functions: {}, folders: {}, ...exceptions }, LIST);

const lines = (count: number, line = 'f();') => `${line}\n`.repeat(count);
/** A function of so many lines, with its first and its last. */
const functionOf = (count: number, head = 'function long() {', end = '}') => `${head}\n${lines(count - 2)}${end}\n`;
const folderOf = (count: number, name: (index: number) => string): TextFile[] =>
	Array.from({ length: count }, (_, index) => ({ path: name(index), text: '' }));

describe('the check of sizes', () => {
	it('allows a file of 350 lines and a test of 400', () => {
		expect(
			check([
				{ path: 'src/a.ts', text: lines(350) },
				{ path: 'src/a.test.ts', text: lines(400) },
				{ path: 'src/testing/world.ts', text: lines(400) },
				{ path: 'notes.md', text: lines(5000, 'a line') },
			]),
		).toEqual([]);
	});

	it('names a file that is too long, its lines and what is allowed', () => {
		expect(check([{ path: 'src/a.ts', text: lines(351) }])).toEqual(['src/a.ts: lines: 351; at most 350 are allowed']);
		expect(check([{ path: 'src/a.test.ts', text: lines(401) }])).toEqual([
			'src/a.test.ts: lines: 401; at most 400 are allowed',
		]);
	});

	it('allows a function of 100 lines', () => {
		expect(check([{ path: 'src/a.ts', text: functionOf(100) }])).toEqual([]);
	});

	it.each([
		['long', functionOf(101)],
		['long', functionOf(101, 'const long = () => {', '};')],
		['long', functionOf(101, 'export const long = async function () {', '};')],
		['long', functionOf(101, 'const all = { long() {', '} };')],
		['long', functionOf(101, 'class All { static async #long() {', '} }')],
		['a function passed to run', functionOf(101, 'run(async () => {', '});')],
	])('names the line of a function that is too long: %s, from %j', (name, text) => {
		expect(check([{ path: 'src/a.ts', text: `f();\n${text}` }])).toEqual([
			`src/a.ts:2: lines of ${name}: 101; at most 100 are allowed`,
		]);
	});

	it('reads the functions of a component on the lines where they stand', () => {
		const text = `<template><p /></template>\n<script setup lang="ts">\n${functionOf(101)}</script>\n`;
		expect(check([{ path: 'src/a.vue', text }])).toEqual(['src/a.vue:3: lines of long: 101; at most 100 are allowed']);
	});

	it('does not take a suite of tests for a function', () => {
		const test = `it.each([1])('holds', () => {\n${lines(10)}});\n`;
		const text = functionOf(300, "describe.skipIf(no)('a thing', () => {", '});').replace('f();\n', test);
		expect(check([{ path: 'src/a.test.ts', text }])).toEqual([]);
	});

	it('counts each folder alone, and its tests apart', () => {
		expect(
			check([
				...folderOf(20, (index) => `src/${index}.ts`),
				...folderOf(20, (index) => `src/inner/${index}.vue`),
				...folderOf(40, (index) => `src/${index}.test.ts`),
				...folderOf(40, (index) => `src/testing/${index}.ts`),
			]),
		).toEqual([]);
		expect(check(folderOf(21, (index) => `src/${index}.ts`))).toEqual([
			'src/: source files: 21; at most 20 are allowed',
		]);
		expect(check(folderOf(41, (index) => `src/${index}.test.ts`))).toEqual([
			'src/: files of tests: 41; at most 40 are allowed',
		]);
	});

	it('allows what is listed up to its size of today, and no more', () => {
		const exceptions = { files: { 'src/a.ts': 400 }, functions: { 'src/b.ts long': 120 }, folders: {} };
		const files = (more: number) => [
			{ path: 'src/a.ts', text: lines(400 + more) },
			{ path: 'src/b.ts', text: functionOf(120 + more) },
		];
		expect(check(files(0), exceptions)).toEqual([]);
		expect(check(files(1), exceptions)).toEqual([
			'src/a.ts: lines: 401; list.ts allows 400, and never more',
			'src/b.ts:1: lines of long: 121; list.ts allows 120, and never more',
		]);
	});

	it('reports an entry of the list that is not needed', () => {
		const exceptions = { files: { 'src/a.ts': 400 }, functions: { 'src/a.ts long': 120 }, folders: { src: 30 } };
		expect(check([{ path: 'src/a.ts', text: functionOf(50) }], exceptions)).toEqual([
			'list.ts: "src/a.ts" is no longer too large: remove the entry',
			'list.ts: "src/a.ts long" is no longer too large: remove the entry',
			'list.ts: "src" is no longer too large: remove the entry',
		]);
	});
});

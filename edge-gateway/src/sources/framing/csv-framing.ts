import { CrowdVisionError, METRIC_KEYS } from '@crowdvision/contracts';
import { textOf } from '../../decode/message/json.ts';
import { withoutChecksum } from './checksum.ts';
import { parseRow } from './csv.ts';
import type { FrameListener, Framing } from './framing.ts';
import { LineFramer } from './line-framer.ts';

export interface CsvOptions {
	/**
	 * What each column is: by position, or by the name it has in the header. Without it, the header says it in the words
	 * of a reading.
	 */
	columns?: readonly string[] | Readonly<Record<string, string>>;
	delimiter?: string;
	decimal?: '.' | ',';
}

const TEXTS = new Set(['sensorId', 'metric', 'unit', 'buildingId', 'roomId', 'boot']);
const NUMBERS = new Set<string>(['value', 'seq', ...METRIC_KEYS]);
/** What a column may be. */
export const CSV_FIELDS = [...TEXTS, 'observedAt', ...NUMBERS];
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
/** No text has them; where they are, the line is damaged. */
const CONTROL = /\p{Cc}/u;

/**
 * A line for each row, with or without a header, which may come again whenever the device restarts. A row of another
 * number of cells, or with a cell that is not what its column is, is refused whole.
 */
export class CsvFraming implements Framing {
	readonly #lines: LineFramer;
	readonly #checksum: boolean;
	readonly #delimiter: string;
	readonly #decimal: string;
	readonly #names: ReadonlyMap<string, string>;
	readonly #mapped: boolean;
	readonly #byPosition: readonly string[] | undefined;
	#columns: readonly string[] | undefined;

	constructor(
		limit: number,
		checksum: boolean,
		{ columns, delimiter = ',', decimal = '.' }: CsvOptions,
		listener: FrameListener,
	) {
		this.#lines = new LineFramer(limit, listener);
		this.#checksum = checksum;
		this.#delimiter = delimiter;
		this.#decimal = decimal;
		this.#byPosition = Array.isArray(columns) ? columns : undefined;
		this.#columns = this.#byPosition;
		this.#mapped = columns !== undefined && !this.#byPosition;
		this.#names = new Map(
			this.#mapped ? Object.entries(columns as Record<string, string>) : CSV_FIELDS.map((field) => [field, field]),
		);
	}

	push(chunk: Buffer): void {
		this.#lines.push(chunk);
	}

	end(): void {
		this.#lines.end();
	}

	said(line: Buffer): string | undefined {
		return line.toString('latin1');
	}

	decode(line: Buffer): unknown {
		const content = this.#checksum ? withoutChecksum(line) : line;
		if (!content) throw notARow('does not end in * and the CRC-16 of what stands before it');
		const text = textOf(content);
		const cells = CONTROL.test(text.replaceAll('\t', ' ')) ? undefined : parseRow(text, this.#delimiter);
		if (!cells) throw notARow('is no row of cells');
		if (this.#isHeader(cells)) {
			this.#columns = this.#byPosition ?? cells.map((cell) => this.#names.get(cell) ?? '');
			return undefined;
		}
		if (!this.#columns) throw notARow('came before the header that says what its columns are');
		return this.#reading(cells, this.#columns);
	}

	/**
	 * A row of names: those that the columns were given by position with, all that are to be mapped, or at least two
	 * words of a reading.
	 */
	#isHeader(cells: string[]): boolean {
		if (this.#byPosition)
			return (
				cells.length === this.#byPosition.length && cells.every((cell, index) => cell === this.#byPosition![index])
			);
		if (cells.some((cell) => cell === '' || NUMBER.test(cell))) return false;
		const known = cells.filter((cell) => this.#names.has(cell)).length;
		return this.#mapped ? known >= this.#names.size : known === cells.length || (known >= 2 && !this.#columns);
	}

	#reading(cells: string[], columns: readonly string[]): Record<string, unknown> {
		if (cells.length !== columns.length)
			throw notARow(`has ${cells.length} cells, but there are ${columns.length} columns`);
		const reading: Record<string, unknown> = {};
		for (const [index, cell] of cells.entries()) {
			const column = columns[index]!;
			if (column !== '' && cell !== '') reading[column] = this.#value(column, cell);
		}
		return reading;
	}

	#value(column: string, cell: string): unknown {
		if (TEXTS.has(column)) return cell;
		const text = this.#decimal === ',' ? cell.replace(',', '.') : cell;
		if (NUMBER.test(text)) return Number(text);
		if (column === 'observedAt') return cell;
		throw notARow(`has ${JSON.stringify(cell.slice(0, 32))} in the column ${column}, which must be a number`);
	}
}

const notARow = (what: string) => new CrowdVisionError('not_json', `The line ${what}`);

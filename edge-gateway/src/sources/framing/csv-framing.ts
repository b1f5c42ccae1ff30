/** The framing `csv`: one row of values per line. */
import { CrowdVisionError, METRIC_KEYS } from '@crowdvision/contracts';
import { textOf } from '../../decode/message/json.ts';
import { isNoValue } from '../../decode/message/number.ts';
import { stripChecksum } from './checksum.ts';
import { parseRow } from './csv.ts';
import type { FrameListener, Framing } from './framing.ts';
import { LineFramer } from './line-framer.ts';

/** `csv` of a serial port. */
export interface CsvOptions {
	/**
	 * The field of a reading that each column holds, by position or by the column's name in the header. Default: the
	 * header uses the names of the fields.
	 */
	columns?: readonly string[] | Readonly<Record<string, string>>;
	delimiter: string;
	decimal: '.' | ',';
}

const TEXTS = new Set(['sensorId', 'metric', 'unit', 'buildingId', 'roomId', 'boot']);
const NUMBERS = new Set<string>(['value', 'seq', ...METRIC_KEYS]);
/** Fields of a reading that a column may hold. */
export const CSV_FIELDS = [...TEXTS, 'observedAt', ...NUMBERS];
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
/** Control characters: a line that contains one, apart from tabs, is damaged. */
const CONTROL = /\p{Cc}/u;

/**
 * Framing `csv`: one row per line. A header is optional, and may come again whenever the device restarts. A row with
 * the wrong number of cells, or with text in the column of `seq` or `value`, is refused as a whole. A cell of a metric
 * that is no number is refused by itself, and left out where it is empty or says that nothing was measured; in a row of
 * nothing else it is null.
 */
export class CsvFraming implements Framing {
	readonly #lines: LineFramer;
	readonly #checksum: boolean;
	readonly #delimiter: string;
	readonly #decimal: string;
	/** Field by name in the header. */
	readonly #fieldOf: ReadonlyMap<string, string>;
	/** Whether the configuration maps names in the header to fields. */
	readonly #isMapped: boolean;
	readonly #byPosition: readonly string[] | undefined;
	#columns: readonly string[] | undefined;

	constructor(limit: number, checksum: boolean, { columns, delimiter, decimal }: CsvOptions, listener: FrameListener) {
		this.#lines = new LineFramer(limit, listener);
		this.#checksum = checksum;
		this.#delimiter = delimiter;
		this.#decimal = decimal;
		this.#byPosition = Array.isArray(columns) ? columns : undefined;
		this.#columns = this.#byPosition;
		this.#isMapped = columns !== undefined && !this.#byPosition;
		this.#fieldOf = new Map(
			this.#isMapped ? Object.entries(columns as Record<string, string>) : CSV_FIELDS.map((field) => [field, field]),
		);
	}

	push(chunk: Buffer): void {
		this.#lines.push(chunk);
	}

	end(): void {
		this.#lines.end();
	}

	textOf(line: Buffer): string | undefined {
		return line.toString('latin1');
	}

	decode(line: Buffer): unknown {
		const content = this.#checksum ? stripChecksum(line) : line;
		if (!content) throw notARow('does not end in * and the CRC-16 of the bytes before it');
		const text = textOf(content);
		const cells = CONTROL.test(text.replaceAll('\t', ' ')) ? undefined : parseRow(text, this.#delimiter);
		if (!cells) throw notARow('is not a row of CSV');
		if (this.#isHeader(cells)) {
			this.#columns = this.#byPosition ?? cells.map((cell) => this.#fieldOf.get(cell) ?? '');
			return undefined;
		}
		if (!this.#columns) throw notARow('came before the header that names its columns');
		return this.#reading(cells, this.#columns);
	}

	/**
	 * Whether a row is a header. With columns by position: those very names. With mapped columns: all mapped names are in
	 * it. Without columns: field names only, or before the first header at least two of them.
	 */
	#isHeader(cells: string[]): boolean {
		if (this.#byPosition)
			return (
				cells.length === this.#byPosition.length && cells.every((cell, index) => cell === this.#byPosition![index])
			);
		if (cells.some((cell) => cell === '' || NUMBER.test(cell))) return false;
		const known = cells.filter((cell) => this.#fieldOf.has(cell)).length;
		return this.#isMapped ? known >= this.#fieldOf.size : known === cells.length || (known >= 2 && !this.#columns);
	}

	#reading(cells: string[], columns: readonly string[]): Record<string, unknown> {
		if (cells.length !== columns.length)
			throw notARow(`has ${cells.length} cells, but there are ${columns.length} columns`);
		const reading: Record<string, unknown> = {};
		const empty: Record<string, null> = {};
		let isMeasured = false;
		for (const [index, cell] of cells.entries()) {
			const column = columns[index]!;
			if (column === '') continue;
			const isText = TEXTS.has(column) || column === 'observedAt' || column === 'seq';
			const value = cell === '' ? undefined : this.#value(column, cell);
			if (value !== undefined) reading[column] = value;
			else if (!isText) empty[column] = null;
			isMeasured ||= !isText && value !== undefined;
		}
		return isMeasured ? reading : { ...reading, ...empty };
	}

	#value(column: string, cell: string): unknown {
		if (TEXTS.has(column)) return cell;
		const text = this.#decimal === ',' ? cell.replace(',', '.') : cell;
		if (NUMBER.test(text)) return Number(text);
		if (column === 'observedAt') return cell;
		if (isNoValue(cell) && column !== 'seq') return column === 'value' ? null : undefined;
		if (column !== 'seq' && column !== 'value') return cell;
		throw notARow(`has ${JSON.stringify(cell.slice(0, 32))} in the column ${column}, which must be a number`);
	}
}

const notARow = (what: string) => new CrowdVisionError('not_json', `The line ${what}`);

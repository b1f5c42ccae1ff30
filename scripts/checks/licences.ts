/** The parts of a package-lock.json that count here. */
interface LockFile {
	packages: Record<string, { version?: string; license?: string; link?: boolean }>;
}

/** Licences that ask for no more than a notice, by their SPDX identifier. */
const PERMISSIVE = new Set([
	'0BSD',
	'Apache-2.0',
	'BlueOak-1.0.0',
	'BSD-2-Clause',
	'BSD-3-Clause',
	'CC0-1.0',
	'ISC',
	'MIT',
	'MIT-0',
	'Python-2.0',
	'Unlicense',
]);

/** Packages under another licence, or whose package.json names it in a way that the lock file does not take over. */
export interface LicenceException {
	/** Name of the package; `*` at the end stands for the rest of it. */
	name: string;
	/** As the lock file has it; undefined where it has none. */
	licence: string | undefined;
	why: string;
}

/** True when an SPDX expression can be met with permissive licences alone. */
function isPermissive(expression: string): boolean {
	const tokens = expression.match(/[()]|[\w.+-]+/g) ?? [];
	let at = 0;
	const either = (): boolean => {
		let holds = both();
		for (; tokens[at] === 'OR'; ) {
			at++;
			holds = both() || holds;
		}
		return holds;
	};
	const both = (): boolean => {
		let holds = one();
		for (; tokens[at] === 'AND'; ) {
			at++;
			holds = one() && holds;
		}
		return holds;
	};
	const one = (): boolean => {
		if (tokens[at] !== '(') return PERMISSIVE.has(tokens[at++] ?? '');
		at++;
		const holds = either();
		at++;
		return holds;
	};
	return either() && at === tokens.length;
}

/** Every package of the lock file under a licence that is not allowed, and every exception that no package needs. */
export function licenceProblems(lockText: string, exceptions: readonly LicenceException[], listedIn: string): string[] {
	const problems: string[] = [];
	const used = new Set<LicenceException>();
	const { packages } = JSON.parse(lockText) as LockFile;
	const lines = lockText.split('\n');
	for (const [path, { version, license, link }] of Object.entries(packages)) {
		const name = path.split('node_modules/').at(-1)!;
		if (!path.includes('node_modules/') || link || (license !== undefined && isPermissive(license))) continue;
		const exception = exceptions.find(
			(one) =>
				one.licence === license &&
				(one.name.endsWith('*') ? name.startsWith(one.name.slice(0, -1)) : name === one.name),
		);
		if (exception) {
			used.add(exception);
			continue;
		}
		const line = lines.findIndex((text) => text.includes(`${JSON.stringify(path)}: {`)) + 1;
		const licence = license ?? 'no licence that its package.json names';
		problems.push(
			`package-lock.json:${line}: ${name} ${version} is under ${licence}; ` +
				`allowed are ${[...PERMISSIVE].join(', ')}, and the packages in ${listedIn}`,
		);
	}
	for (const one of exceptions) {
		if (!used.has(one)) problems.push(`${listedIn}: no package ${one.name} is under ${one.licence}: remove the entry`);
	}
	return problems;
}

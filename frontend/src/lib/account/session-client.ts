/** Where a session is used, by what the browser calls itself; undefined for what is not recognized. */
export interface SessionClient {
	browser: string | undefined;
	system: string | undefined;
}

/** In this order: many browsers also name those whose pages they want to be served. */
const BROWSERS: readonly (readonly [RegExp, string])[] = [
	[/\bEdg(?:e|A|iOS)?\//, 'Edge'],
	[/\b(?:OPR|Opera)\//, 'Opera'],
	[/\bVivaldi\//, 'Vivaldi'],
	[/\bSamsungBrowser\//, 'Samsung Internet'],
	[/\b(?:Firefox|FxiOS)\//, 'Firefox'],
	[/\b(?:HeadlessChrome|Chrome|CriOS|Chromium)\//, 'Chrome'],
	[/\bVersion\/[\d.]+.*\bSafari\//, 'Safari'],
	[/^curl\//, 'curl'],
	[/^python-(?:requests|httpx)\/|^Python-urllib\//, 'Python'],
	[/^node\b|\bundici\b/, 'Node.js'],
];
const SYSTEMS: readonly (readonly [RegExp, string])[] = [
	[/\bWindows\b/, 'Windows'],
	[/\bAndroid\b/, 'Android'],
	[/\biPhone\b/, 'iPhone'],
	[/\biPad\b/, 'iPad'],
	[/\bMac OS X\b|\bMacintosh\b/, 'macOS'],
	[/\bCrOS\b/, 'ChromeOS'],
	[/\bLinux\b/, 'Linux'],
];

export function sessionClient(userAgent: string | undefined): SessionClient {
	const first = (table: typeof BROWSERS) => table.find(([pattern]) => pattern.test(userAgent ?? ''))?.[1];
	return { browser: first(BROWSERS), system: first(SYSTEMS) };
}

/** Units as people and firmware spell them: ℃, Celsius, ug/m³, Lux, hpa. */
import type { MetricDefinition } from '@crowdvision/contracts';

type Convert = (value: number) => number;

const by =
	(factor: number): Convert =>
	(value) =>
		value * factor;
const SAME = by(1);

/** The same conversion for several spellings, which are written folded (see `fold`) and separated by blanks. */
const spelled = (convert: Convert, spellings: string) => spellings.split(' ').map((one) => [one, convert] as const);
const fahrenheit: Convert = (value) => ((value - 32) * 5) / 9;

/** Spellings beside those of the catalog, by the catalog's unit. */
const SPELLINGS: Readonly<Record<string, readonly (readonly [string, Convert])[]>> = {
	degC: [
		...spelled(SAME, '°c c celsius centigrade degc degcelsius degreecelsius degreescelsius grad'),
		...spelled(fahrenheit, '°f f fahrenheit degf degfahrenheit degreefahrenheit degreesfahrenheit'),
		...spelled((value) => value - 273.15, 'k °k kelvin degk'),
	],
	'%': spelled(SAME, '% percent pct percentage %rh rh rh% rh(%) %r.h. %hr %ur %rf rf'),
	ppm: [
		...spelled(SAME, 'ppm ppmv partspermillion ppmco2'),
		...spelled(by(0.001), 'ppb'),
		...spelled(by(1e4), '%vol vol%'),
	],
	'ug/m3': [
		...spelled(SAME, 'ug/m3 ugm3 ugm-3 ug/mc mcg/m3 ug/cbm microgramspercubicmeter microgrampercubicmeter'),
		...spelled(by(1000), 'mg/m3 mgm3 mgm-3'),
		...spelled(by(0.001), 'ng/m3 ngm3 ngm-3'),
	],
	ppb: [...spelled(SAME, 'ppb ppbv partsperbillion'), ...spelled(by(1000), 'ppm')],
	index: spelled(SAME, 'index iaq iaqi aqi'),
	lx: [...spelled(SAME, 'lx lux lm/m2 lumen/m2'), ...spelled(by(1000), 'klx klux kilolux')],
	dB: spelled(SAME, 'db dba db(a) dbspl decibel decibels'),
	hPa: [
		...spelled(SAME, 'hpa mbar mb millibar millibars hectopascal hectopascals'),
		...spelled(by(0.01), 'pa pascal pascals'),
		...spelled(by(10), 'kpa kilopascal cbar'),
		...spelled(by(1000), 'bar'),
		...spelled(by(1.333224), 'mmhg torr'),
		...spelled(by(33.86389), 'inhg'),
		...spelled(by(68.94757), 'psi'),
		...spelled(by(1013.25), 'atm'),
	],
	person: spelled(SAME, 'person persons people persone persona personen pers ppl pax count counts'),
	V: spelled(SAME, 'volt volts'),
	A: spelled(SAME, 'amp amps ampere amperes'),
	W: spelled(SAME, 'watt watts'),
	Hz: spelled(SAME, 'hertz'),
};

/**
 * A unit as it is compared: compatibility forms (℃, ㎍) are taken apart by NFKC, every micro sign is `u`, every sign
 * that looks like a degree is one, and case, blanks, `^` and `·` do not matter.
 */
function fold(unit: string): string {
	return unit
		.replace(/[\u00ba\u02da]/g, '°')
		.normalize('NFKC')
		.replaceAll('\u2212', '-')
		.replace(/[\u00b5\u03bc]/g, 'u')
		.replace(/[\s^·*_]/g, '')
		.toLowerCase();
}

/** By definition: the conversion of each folded spelling; undefined where it may mean two units, such as mV and MV. */
const folded = new WeakMap<MetricDefinition, Map<string, Convert | undefined>>();

/** How a value in `unit` becomes one in the unit of the definition; undefined for a unit that it is not measured in. */
export function converterFrom(definition: MetricDefinition, unit: string): Convert | undefined {
	const { accepts } = definition;
	if (accepts && Object.hasOwn(accepts, unit)) return accepts[unit];
	let spellings = folded.get(definition);
	if (!spellings) {
		spellings = spellingsOf(definition);
		folded.set(definition, spellings);
	}
	return spellings.get(fold(unit));
}

function spellingsOf({ unit, accepts = {} }: MetricDefinition): Map<string, Convert | undefined> {
	const found = new Map<string, Convert | undefined>();
	const own = Object.entries(accepts).map(([name, convert]) => [fold(name), convert] as const);
	for (const [name, convert] of [[fold(unit), SAME] as const, ...own]) {
		const known = found.get(name);
		found.set(name, known && known(1) !== convert(1) ? undefined : convert);
	}
	for (const [name, convert] of Object.hasOwn(SPELLINGS, unit) ? SPELLINGS[unit]! : [])
		if (!found.has(name)) found.set(name, convert);
	return found;
}

/** Tells temperatures of the room from those of a device's own parts, and from what is not measured at all. */

/** What only a device has: its processor, power supply and drives. */
const ELECTRONICS = new Set(
	(
		'cpu gpu npu soc mcu chip chipset processor coprocessor mainboard motherboard baseboard pcb heatsink psu ' +
		'pmic ssd hdd nvme emmc'
	).split(' '),
);
/** Parts of a device whose names may be those of a room, too, such as the board room: only where they stand alone. */
const PARTS = new Set('core board battery charger inverter regulator junction modem radio transceiver disk'.split(' '));
/** Words that say nothing beside those. */
const NEUTRAL = new Set(
	(
		'temp temperature sensor thermal package zone main system on onboard unit device module internal power supply ' +
		'own self die'
	).split(' '),
);
/** Processors by family: parts of a device where the device itself is named elsewhere. */
const FAMILY = /^(?:esp(?:32|8266)|rp2\d{3}|stm32|nrf5\d)/i;
/** Spellings in one word: `cputemp`, `core0temp`. */
const COMPACT = /^(?:cpu|gpu|soc|mcu|chip|core|board|esp)\d*_?temp(?:erature)?$/i;
/** `CoreTemp` and `core 0` as words. */
const WORDS = /[A-Z]+(?![a-z])|[A-Z]?[a-z]+/g;
/** Temperatures that are set or calculated, or those of something other than air. */
const NOT_MEASURED =
	/set_?point|target|dew_?point|wet_?bulb|heat_?index|feels|apparent|chill|threshold|limit|offset|soil|water|surface/i;

/**
 * Whether a level of a name, such as `CPU`, `Core 0` or `mainBoard`, means a part of the device: a temperature below it
 * is that part's, not the room's.
 */
export function isDevicePart(level: string): boolean {
	if (isElectronics(level)) return true;
	const words = wordsOf(level);
	return words.some((word) => PARTS.has(word)) && words.every((word) => PARTS.has(word) || NEUTRAL.has(word));
}

/** Whether a level of a name means what no room is called: `cpu`, `SoC`, `coreTemp`. */
export function isElectronics(level: string): boolean {
	return COMPACT.test(level) || wordsOf(level).some((word) => ELECTRONICS.has(word));
}

/** Whether a level of a name is a processor by its family, such as `ESP32-C3`. */
export const isProcessor = (level: string): boolean => FAMILY.test(level);

/** Whether a name says of a temperature that it is not the room's. */
export function isNotOfRoom(name: string): boolean {
	return NOT_MEASURED.test(name) || name.split(/[/:._-]/).some(isDevicePart);
}

/** The words of a level in lower case, without numbers: those between capitals, and those between other characters. */
function wordsOf(level: string): string[] {
	const words = level.match(WORDS) ?? [];
	const whole = level.replace(/\d+/g, ' ').trim();
	return /^[a-z]+$/i.test(whole) && words.length > 1 && ELECTRONICS.has(whole.toLowerCase())
		? [whole.toLowerCase()]
		: words.map((word) => word.toLowerCase());
}

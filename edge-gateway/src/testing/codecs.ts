/** A codec as a vendor of people counters writes it: `08 TT TT` is the temperature in 0.1 °C, `09 NN` people. */
export const COUNTER_CODEC = `
/** Payload decoder of a people counter. */
function decodeUplink(input) {
	var data = {}, warnings = [], errors = [];
	console.log('port', input.fPort);
	for (var i = 0; i < input.bytes.length; ) {
		switch (input.bytes[i++]) {
			case 0x08:
				data.temperature = ((input.bytes[i] << 24 >> 16) | input.bytes[i + 1]) / 10;
				i += 2;
				break;
			case 0x09:
				data.people_count_all = input.bytes[i++];
				break;
			case 0x0b:
				data.voltage = input.bytes[i++] / 10;
				break;
			case 0xff:
				warnings.push('low battery');
				break;
			default:
				errors.push('unknown channel ' + input.bytes[i - 1]);
		}
	}
	return errors.length ? { errors: errors } : { data: data, warnings: warnings };
}
`;

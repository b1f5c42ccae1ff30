/** What looks like a measure in a message of a known format, and that no key of the format or of the rule reads. */
export interface UnknownField {
	/**
	 * As the vendor calls it, and as `rename` takes it unless it is `nested`: of a member of an object, the keys joined
	 * by a dot.
	 */
	key: string;
	/** What it held. */
	sample: number | string | boolean;
	/** `nested`: a member of an object, which `rename` does not reach. `bytes`: a payload that nobody has decoded. */
	kind?: 'nested' | 'bytes';
	/** The unit that the message names. */
	unit?: string | undefined;
}

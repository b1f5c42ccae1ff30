/** Names in a sentence: the first five, and how many more there are. */
export const summary = (names: readonly string[]) =>
	names.length > 5 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ');

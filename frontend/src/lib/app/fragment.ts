/**
 * What a link from outside says to the page in its fragment, which browsers do not send to servers: `#reset=…` sets a
 * new password, `#sign-in=…` tells why a sign-in through a provider was refused.
 */
export interface Fragment {
	reset?: string;
	signIn?: string;
}

export function parseFragment(hash: string): Fragment {
	const values = new URLSearchParams(hash.replace(/^#/, ''));
	const [reset, signIn] = [values.get('reset'), values.get('sign-in')];
	return { ...(reset && { reset }), ...(signIn && { signIn }) };
}

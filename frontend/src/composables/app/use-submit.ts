import { shallowRef } from 'vue';

/** A form's request: at most one at a time, and the error of the last one. */
export function useSubmit<Arguments extends unknown[]>(send: (...args: Arguments) => Promise<unknown>) {
	const busy = shallowRef(false);
	const error = shallowRef<unknown>();

	/** Sends, unless a request is still under way. Resolves with whether it succeeded. */
	async function submit(...args: Arguments): Promise<boolean> {
		if (busy.value) return false;
		busy.value = true;
		error.value = undefined;
		try {
			await send(...args);
			return true;
		} catch (reason) {
			error.value = reason;
			return false;
		} finally {
			busy.value = false;
		}
	}

	return { busy, error, submit };
}

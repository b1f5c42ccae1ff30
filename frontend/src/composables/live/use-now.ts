import { onScopeDispose, readonly, ref } from 'vue';
import { serviceNow } from '../../lib/requests/service-clock.ts';

const now = ref(serviceNow());
let users = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/**
 * The services' time (epoch ms), moved on once a second by a timer of its own: values age and grey out whether or not
 * anything arrives. One timer for everybody, stopped with the last user.
 */
export function useNow() {
	users += 1;
	now.value = serviceNow();
	timer ??= setInterval(() => {
		now.value = serviceNow();
	}, 1000);
	onScopeDispose(() => {
		users -= 1;
		if (users > 0) return;
		clearInterval(timer);
		timer = undefined;
	});
	return readonly(now);
}

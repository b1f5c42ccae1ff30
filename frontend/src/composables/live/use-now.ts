import { onScopeDispose, readonly, ref } from 'vue';
import { serviceNow } from '../../lib/requests/service-clock.ts';

const now = ref(serviceNow());
let users = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/**
 * The services' current time (epoch ms), updated once a second whether or not anything arrives, so that values age and
 * grey out. All users share one timer, which stops with the last of them.
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

import { onScopeDispose, shallowRef } from 'vue';
import { connectLive, type LiveHandlers, type LiveStatus } from '../../api/live.ts';

/** The live connection of the page, closed with the scope that opened it. */
export function useLive(handlers: Omit<LiveHandlers, 'status'>) {
	const status = shallowRef<LiveStatus>({ state: 'connecting', since: Date.now() });
	const connection = connectLive({
		...handlers,
		status: (next) => {
			status.value = next;
		},
	});
	onScopeDispose(() => connection.close());
	return { status, connection };
}

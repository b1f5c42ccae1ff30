import { onScopeDispose, shallowRef } from 'vue';
import { connectLive, type LiveHandlers, type LiveStatus } from '../../api/live.ts';

/** The page's live connection and its status, closed with the scope that opened it. */
export function useLiveConnection(handlers: Omit<LiveHandlers, 'status'>) {
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

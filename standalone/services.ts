/** Opens the five services inside the standalone process. */
import { type Auth, createAuth } from '@crowdvision/auth';
import type { Bus } from '@crowdvision/bus';
import { createLlm } from '@crowdvision/llm';
import { createNotification } from '@crowdvision/notification';
import type { Lifecycle, readSettings, Service, ServiceContext } from '@crowdvision/service-kit';
import { createSocket } from '@crowdvision/socket';
import type { Stores } from '@crowdvision/store';
import { createTwin, retentionOf, type Twin } from '@crowdvision/twin';
import type { SETTINGS } from '../settings.ts';

export type StandaloneSettings = ReturnType<typeof readSettings<typeof SETTINGS>>;

export interface StandaloneContext extends ServiceContext {
	bus: Bus;
	stores: Stores;
}

export interface Services {
	auth: Auth;
	twin: Twin;
	notification: Service;
	socket: Service;
	llm: Service;
}

/** Opens the five services in this process; each logs with its name. */
export async function openServices(
	context: StandaloneContext,
	settings: StandaloneSettings,
	lifecycle: Lifecycle,
): Promise<Services> {
	const contextOf = (service: string) => ({ ...context, logger: context.logger.child({ service }) });
	const own = <S extends Service>(service: S): S => lifecycle.own(service.name, service, (opened) => opened.stop());
	const retention = retentionOf(settings);
	return {
		auth: own(await createAuth(contextOf('auth'), settings)),
		twin: own(await createTwin(contextOf('twin'), { retention, replicas: settings.MONGO_URL !== undefined })),
		notification: own(await createNotification(contextOf('notification'), { settings })),
		socket: own(await createSocket(contextOf('socket'))),
		llm: own(await createLlm(contextOf('llm'))),
	};
}

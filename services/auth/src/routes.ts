import { CrowdVisionError, loginRequest, newDeviceRequest, newDomainRequest, registerRequest } from '@crowdvision/contracts';
import {
	callerOf,
	jsonBody,
	parseBody,
	type Request,
	type RequestHandler,
	type RetainedTable,
	Router,
	requireAccount,
	type Tokens,
} from '@crowdvision/service-kit';
import type { Account, Accounts } from './accounts.ts';
import type { Devices } from './devices.ts';
import type { Domains } from './domains.ts';
import { endSession, startSession } from './session.ts';
import type { LoginThrottle } from './throttle.ts';

export interface AuthParts {
	accounts: Accounts;
	domains: Domains;
	devices: Devices;
	throttle: LoginThrottle;
	tokens: Tokens;
	revocations: RetainedTable;
}

export function authRoutes(parts: AuthParts): Router {
	const router = Router();
	router.use(jsonBody('64kb'));
	addSessionRoutes(router, parts);
	addDomainRoutes(router, parts);
	addDeviceRoutes(router, parts);
	return router;
}

function addSessionRoutes(router: Router, { accounts, throttle, tokens }: AuthParts): void {
	const signedIn = requireAccount(tokens);
	const tokenFor = async (account: Account) => tokens.signAccount({ ...account, memberships: await accounts.memberships(account.id) });

	router.get('/first-run', async (_request, response) => {
		response.json({ empty: await accounts.isEmpty() });
	});

	router.post('/register', async (request, response) => {
		const account = await accounts.create(parseBody(registerRequest, request.body));
		response.status(201).json({ ...startSession(request, response, await tokenFor(account)), account });
	});

	router.post('/login', async (request, response) => {
		const { email, password } = parseBody(loginRequest, request.body);
		const key = `${email.trim().toLowerCase()} ${request.ip}`;
		throttle.begin(key, Date.now());
		const account = await accounts.authenticate(email, password);
		throttle.succeeded(key);
		response.json(startSession(request, response, await tokenFor(account)));
	});

	router.post('/refresh', signedIn, async (request, response) => {
		const account = await accounts.get(callerOf(request).sub);
		response.json(startSession(request, response, await tokenFor(account)));
	});

	router.post('/logout', (request, response) => {
		endSession(request, response);
		response.status(204).end();
	});

	router.get('/me', signedIn, async (request, response) => {
		const account = await accounts.get(callerOf(request).sub);
		response.json({ ...account, memberships: await accounts.memberships(account.id) });
	});
}

/** Within auth, what counts is the membership as kept, not as of the token: a new domain's creator need not sign in again to go on. */
function addDomainRoutes(router: Router, { accounts, domains, tokens }: AuthParts): void {
	const signedIn = requireAccount(tokens);

	router.post('/domains', signedIn, async (request, response) => {
		const { name } = parseBody(newDomainRequest, request.body);
		const account = await accounts.get(callerOf(request).sub);
		await domains.create(name, { id: account.id, memberships: await accounts.memberships(account.id) });
		response.status(201).json({ name, role: 'business_admin' });
	});

	router.get('/domains', signedIn, async (request, response) => {
		const memberships = await accounts.memberships(callerOf(request).sub);
		response.json({ domains: memberships.map(({ domainName, role }) => ({ name: domainName, role })) });
	});
}

function addDeviceRoutes(router: Router, { accounts, domains, devices, tokens, revocations }: AuthParts): void {
	const signedIn = requireAccount(tokens);
	const administers: RequestHandler = async (request, _response, next) => {
		await domains.require(await accounts.memberships(callerOf(request).sub), domainOf(request), 'business_admin');
		next();
	};

	router.post('/domains/:name/devices', signedIn, administers, async (request, response) => {
		const device = parseBody(newDeviceRequest, request.body);
		response.status(201).json(await devices.issue({ ...device, domainName: domainOf(request) }));
	});

	router.get('/domains/:name/devices', signedIn, administers, async (request, response) => {
		response.json({ devices: await devices.list(domainOf(request)) });
	});

	router.delete('/domains/:name/devices{/:deviceId}', signedIn, administers, async (request, response) => {
		const deviceId = request.params.deviceId ?? request.query.deviceId;
		if (typeof deviceId !== 'string') throw new CrowdVisionError('bad_request', 'Say which device: DELETE …/devices/{deviceId}');
		await devices.revoke(domainOf(request), deviceId);
		await revocations.changed(deviceId);
		response.status(204).end();
	});
}

const domainOf = (request: Request): string => String(request.params.name);

import { CrowdVisionError, domainChange, newDomainRequest, newSubdomainRequest } from '@crowdvision/contracts';
import {
	type BuildingDirectory,
	callerOf,
	invalid,
	nextCursorOf,
	pageOf,
	pageOfItems,
	parseBody,
	type Request,
	type Router,
} from '@crowdvision/service-kit';
import type { Accounts } from '../accounts/accounts.ts';
import { requireSession } from '../accounts/session-guards.ts';
import { authBody } from '../auth-body.ts';
import { type DomainGuardParts, domainOf, requireInDomain } from './domain-guards.ts';
import type { Domains } from './domains.ts';

export interface DomainRouteParts extends DomainGuardParts {
	accounts: Accounts;
	domains: Domains;
	directory: BuildingDirectory;
}

/** Parts of a domain name, separated by `.` or `/`, that `DomainName` of contracts allows. */
const MAX_PARTS = 8;

/** `/domains`, `/domains/{name}` and `/domains/{name}/subdomains`. */
export function addDomainRoutes(router: Router, parts: DomainRouteParts): void {
	const { accounts, domains, directory } = parts;
	const signedIn = requireSession(parts);
	const administers = requireInDomain(parts, 'business_admin');
	/** Looks the account up: a token may outlive its account, which must not create domains then. */
	const accountOf = (request: Request) => accounts.get(callerOf(request).sub);

	router.post('/domains', signedIn, authBody, async (request, response) => {
		const { name, public: isPublic = false } = parseBody(newDomainRequest, request.body);
		response.status(201).json(await domains.create(name, isPublic, (await accountOf(request)).id));
	});

	router.get('/domains', signedIn, async (request, response) => {
		const { public: publicOnly } = request.query;
		if (publicOnly !== undefined && publicOnly !== '1')
			throw invalid([{ path: '/public', message: 'must be 1, or left out' }]);
		if (publicOnly) {
			const found = await domains.listPublic(pageOf(request, ['number', 'string', 'string']));
			return void response.json({ domains: found.domains, ...nextCursorOf(found.next) });
		}
		const page = pageOf(request, ['string']);
		const { items, next } = pageOfItems(
			await domains.of(callerOf(request).sub),
			page,
			({ name }) => [name] as const,
			({ name }, [after]) => name > after,
		);
		response.json({ domains: items, ...nextCursorOf(next) });
	});

	router.post('/domains/:name/subdomains', administers, authBody, async (request, response) => {
		const { name, public: isPublic = false } = parseBody(newSubdomainRequest, request.body);
		const parent = domainOf(request);
		if (parent.split(/[/.]/).length >= MAX_PARTS)
			throw invalid([{ path: '/name', message: `would give the domain more than ${MAX_PARTS} parts` }]);
		response.status(201).json(await domains.create(`${parent}/${name}`, isPublic, (await accountOf(request)).id));
	});

	router.patch('/domains/:name', administers, authBody, async (request, response) => {
		const name = domainOf(request);
		const { public: isPublic } = parseBody(domainChange, request.body);
		await domains.setPublic(name, isPublic);
		const own = (await domains.of(callerOf(request).sub)).find((domain) => domain.name === name);
		response.json(own ?? { name, role: 'admin', public: isPublic });
	});

	router.delete('/domains/:name', administers, async (request, response) => {
		const { sub } = callerOf(request);
		const name = domainOf(request);
		// Nobody could remove such a building later, and its id would be lost to all.
		const owned = directory.ownedOnlyBy(name);
		if (owned.length > 0)
			throw new CrowdVisionError('conflict', `The domain has buildings: remove ${owned.join(', ')} first`);
		await domains.remove(name, sub);
		response.status(204).end();
	});
}

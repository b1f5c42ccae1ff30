import { CrowdVisionError, ssoRequest } from '@crowdvision/contracts';
import {
	type ErrorRequestHandler,
	invalid,
	type Logger,
	parseBody,
	type Request,
	type Router,
	type Site,
} from '@crowdvision/service-kit';
import { startSession, type TokenParts } from '../accounts/session-guards.ts';
import { authBody } from '../auth-body.ts';
import { type DomainGuardParts, domainOf, requireInDomain } from '../domains/domain-guards.ts';
import { SIGN_IN_MS, type Sso } from './sso.ts';
import { reasonOf, SsoRefusal } from './sso-refusal.ts';

const CALLBACK = '/auth/sso/callback';
/** A path of this site. Browsers read `//host` and `/\host` as another site. */
const OWN_PATH = /^\/(?![/\\])[^\\\s\p{Cc}]{0,1000}$/u;

export interface SsoRouteParts extends TokenParts, DomainGuardParts {
	memberships: DomainGuardParts['memberships'];
	sso: Sso;
	site: Site;
	logger: Logger;
}

/** `/domains/{name}/sso` and `/sso`. */
export function addSsoRoutes(router: Router, parts: SsoRouteParts): void {
	const { cookies, site, sso } = parts;
	const administers = requireInDomain(parts, 'business_admin');
	const redirectUri = (request: Request) => `${site.urlOf(request)}${CALLBACK}`;

	router.get('/domains/:name/sso', administers, async (request, response) => {
		response.json(await sso.settings(domainOf(request), redirectUri(request)));
	});

	router.put('/domains/:name/sso', administers, authBody, async (request, response) => {
		await sso.configure(domainOf(request), parseBody(ssoRequest, request.body));
		response.json(await sso.settings(domainOf(request), redirectUri(request)));
	});

	router.delete('/domains/:name/sso', administers, async (request, response) => {
		await sso.remove(domainOf(request));
		response.status(204).end();
	});

	router.get('/providers', async (request, response) => {
		const { for: typed } = request.query;
		if (typeof typed !== 'string' || typed.length > 320)
			throw invalid([{ path: '/for', message: "must be a domain's name or an e-mail address" }]);
		response.json({ domains: await sso.find(typed) });
	});

	router.get('/sso/callback', async (request, response) => {
		const callback = new URL(redirectUri(request));
		callback.search = new URL(request.originalUrl, callback).search;
		const { state } = request.query;
		if (typeof state !== 'string' || state === '')
			throw new SsoRefusal('expired', 'bad_request', 'This sign-in was not started here: start again');
		const { account, to } = await sso.end(callback, cookies.boundTo(request, response, state));
		await startSession(parts, request, response, account);
		response.set('Cache-Control', 'no-store').redirect(302, to);
	});

	router.get('/sso/:domain', async (request, response) => {
		const { to = `${new URL(redirectUri(request)).pathname.slice(0, -CALLBACK.length)}/` } = request.query;
		if (typeof to !== 'string' || !OWN_PATH.test(to))
			throw invalid([{ path: '/to', message: 'must be a path of this site' }]);
		const { location, state, browser } = await sso.begin(String(request.params.domain), to, redirectUri(request));
		cookies.bind(request, response, { state, browser, maxAge: SIGN_IN_MS });
		response.set('Cache-Control', 'no-store').redirect(302, location.href);
	});

	/** A browser gets the page, which tells the reason in its language and has the form to start again. */
	const refuse: ErrorRequestHandler = (error, request, response, next) => {
		if (response.headersSent || request.accepts(['json', 'html']) !== 'html') return next(error);
		if (!(error instanceof CrowdVisionError)) parts.logger.error({ err: error }, 'a sign-in failed');
		response
			.set('Cache-Control', 'no-store')
			.redirect(302, `${site.urlOf(request)}/#${new URLSearchParams({ 'sign-in': reasonOf(error) })}`);
	};
	router.use('/sso', refuse);
}

import { CrowdVisionError, PLATFORM, weightIn } from '@crowdvision/contracts';
import { callerOf, type RequestHandler, type RetainedTable, type Router } from '@crowdvision/service-kit';
import { requireSession, type TokenParts } from '../accounts/session-guards.ts';
import type { SigningKeys } from './signing-keys.ts';

export interface KeyRouteParts extends TokenParts {
	/** Undefined where tokens are signed with the shared secret. */
	signingKeys: SigningKeys | undefined;
	publicKeys: RetainedTable | undefined;
}

/** `/keys` and `/.well-known/jwks.json`. */
export function addKeyRoutes(router: Router, parts: KeyRouteParts): void {
	const { memberships, publicKeys, signingKeys } = parts;
	const signedIn = requireSession(parts);
	const platformAdmin: RequestHandler = async (request, _response, next) => {
		if (weightIn(await memberships.of(callerOf(request).sub), [PLATFORM]) === 0) {
			throw new CrowdVisionError('forbidden', 'Only admins of the platform (ADMINS) may do this');
		}
		next();
	};
	const required = () => {
		if (signingKeys) return signingKeys;
		throw new CrowdVisionError(
			'not_found',
			'Tokens are signed with the shared secret here, not with keys (JWT_SIGNING)',
		);
	};

	router.get('/.well-known/jwks.json', async (_request, response) => {
		response.set('Cache-Control', 'public, max-age=60').json((await signingKeys?.jwks()) ?? { keys: [] });
	});

	router.get('/keys', signedIn, platformAdmin, async (_request, response) => {
		response.json({ keys: await required().list() });
	});

	router.post('/keys/rotate', signedIn, platformAdmin, async (_request, response) => {
		const kid = await required().rotate();
		await publicKeys?.changed(kid);
		response.status(201).json({ kid });
	});

	router.delete('/keys/:kid', signedIn, platformAdmin, async (request, response) => {
		const kid = String(request.params.kid);
		await required().withdraw(kid);
		await publicKeys?.changed(kid);
		response.status(204).end();
	});
}

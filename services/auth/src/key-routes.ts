import { CrowdVisionError, PLATFORM, weightIn } from '@crowdvision/contracts';
import { authenticate, type RequestHandler, type Router } from '@crowdvision/service-kit';
import type { AuthParts } from './parts.ts';

export function addKeyRoutes(router: Router, { memberships, publicKeys, signingKeys, tokens }: AuthParts): void {
	const platformAdmin: RequestHandler = async (request, _response, next) => {
		const { sub } = await authenticate(tokens, request);
		if (weightIn(await memberships.of(sub), [PLATFORM]) === 0) {
			throw new CrowdVisionError('forbidden', 'This is for admins of the platform (ADMINS)');
		}
		next();
	};
	const required = () => {
		if (signingKeys) return signingKeys;
		throw new CrowdVisionError('not_found', 'Tokens are signed by the shared secret here (JWT_SIGNING)');
	};

	router.get('/.well-known/jwks.json', async (_request, response) => {
		response.set('Cache-Control', 'public, max-age=60').json((await signingKeys?.jwks()) ?? { keys: [] });
	});

	router.get('/keys', platformAdmin, async (_request, response) => {
		response.json({ keys: await required().list() });
	});

	router.post('/keys/rotate', platformAdmin, async (_request, response) => {
		const kid = await required().rotate();
		await publicKeys?.changed(kid);
		response.status(201).json({ kid });
	});

	router.delete('/keys/:kid', platformAdmin, async (request, response) => {
		const kid = String(request.params.kid);
		await required().withdraw(kid);
		await publicKeys?.changed(kid);
		response.status(204).end();
	});
}

import type { Router } from '@crowdvision/service-kit';

interface Layer {
	route?: { path: string | string[]; methods: Record<string, boolean> };
	handle?: { stack?: Layer[] };
}

/** Every route of a router as `METHOD /path/{parameter}`; one with an optional part is two. */
export function routesOf(router: Router, prefix = ''): string[] {
	return layersOf(router as unknown as { stack: Layer[] }).flatMap(({ path, methods }) =>
		Object.keys(methods)
			.filter((method) => method !== '_all')
			.flatMap((method) =>
				variants(path).map((one) => `${method.toUpperCase()} ${prefix}${one.replace(/:(\w+)/g, '{$1}')}`),
			),
	);
}

function layersOf({ stack }: { stack: Layer[] }): { path: string; methods: Record<string, boolean> }[] {
	return stack.flatMap(({ route, handle }) => {
		if (route) return [route.path].flat().map((path) => ({ path, methods: route.methods }));
		return handle?.stack ? layersOf({ stack: handle.stack }) : [];
	});
}

/** path-to-regexp's optional groups: `/devices{/:id}` takes `/devices` and `/devices/:id`. */
function variants(path: string): string[] {
	const optional = /\{([^{}]*)\}/.exec(path);
	if (!optional) return [path];
	return [...variants(path.replace(optional[0], '')), ...variants(path.replace(optional[0], optional[1]!))];
}

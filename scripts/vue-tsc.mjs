// vue-tsc stands beside the native TypeScript 7 of the root, which it cannot use yet: it gets the frontend's own
// TypeScript 6.
import { createRequire } from 'node:module';

const fromFrontend = createRequire(new URL('../frontend/package.json', import.meta.url));
fromFrontend('vue-tsc').run(fromFrontend.resolve('typescript/lib/tsc'));

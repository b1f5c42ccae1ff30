import { createLogger, Lifecycle } from '../index.ts';

/**
 * A process that stops on SIGTERM with a deadline of 200 ms. Its only part closes at once, or, with the argument
 * `never`, does not close at all.
 */
const [close] = process.argv.slice(2);
const lifecycle = new Lifecycle(createLogger('stopping', 'info'));
lifecycle.exitOnSignals(200);
lifecycle.onStop('part', () => (close === 'never' ? new Promise<void>(() => {}) : undefined));
setInterval(() => {}, 1000);
process.stdout.write('ready\n');

/** Takes the lock at the path of its argument, prints `holding`, and holds it until it is killed. */
import { takeProcessLock } from '../files/process-lock.ts';

takeProcessLock(process.argv[2]!, 'it', 200);
process.stdout.write('holding\n');
setInterval(() => undefined, 60_000);

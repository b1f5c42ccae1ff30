/** Entry point of the thread that thins the log; the log starts it. */
import { thinSegments } from '@crowdvision/log/thin-segments';
import { thin } from './thin-readings.ts';

thinSegments(thin);

/** The thread in which the log is thinned; started by the log. */
import { thinSegments } from '@crowdvision/log/thin-segments';
import { thin } from './thin-readings.ts';

thinSegments(thin);

import { describeBus } from '../bus.conformance.ts';
import { redisHarness } from '../testing/redis-harness.ts';

describeBus('Redis', redisHarness);

import { startEmbedded } from './from-fixture.ts';
import { describeUpgrade } from './scenario.ts';

describeUpgrade('the embedded whole, a minute later', () => startEmbedded());

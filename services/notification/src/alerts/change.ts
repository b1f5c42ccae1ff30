import type { Alert } from '@crowdvision/contracts';

/** Something that happened to an alert, with the alert as it is then. */
export interface AlertChange {
	what: 'opened' | 'resolved' | 'severity' | 'acknowledged';
	alert: Alert;
}

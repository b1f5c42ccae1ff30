import type { NewWebhookRequest } from '@crowdvision/contracts';

/** A webhook of a domain. Id: a random text. */
export interface WebhookDocument extends NewWebhookRequest {
	domainName: string;
	/** `whsec_` and base64: signs each message of the template `standard`. */
	secret: string;
	/** Epoch ms. */
	createdAt: number;
	/** Where whoever made it finds this installation; links in its messages lead there. */
	site: string;
}

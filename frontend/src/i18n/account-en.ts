/** English texts about one's own account, and about the members of a domain. */
export const accountEn = {
	title: 'Your account',
	open: 'Your account',
	noEmail: 'You sign in through the identity provider of your organisation.',
	sessions: {
		title: 'Where you are signed in',
		hint: 'End what you do not recognise, then change your password.',
		loading: 'Loading your sessions…',
		current: 'This browser',
		on: '{browser} on {system}',
		unknown: 'Unknown program',
		since: 'Signed in {since}, last active {last}',
		address: 'from {address}',
		end: 'Sign out',
		endOf: 'Sign out {what}, signed in {since}',
		endOthers: 'Sign out everywhere else',
		ended: 'You are signed out there.',
		endedOthers: 'You are signed out everywhere else.',
	},
	removal: {
		title: 'Delete your account',
		hint: 'Your memberships, your sessions and your conversations with the assistant are deleted. This is final.',
		open: 'Delete the account…',
		confirm: 'Delete the account of {name} for good?',
		submit: 'Delete for good',
		busy: 'Deleting…',
		cancel: 'Cancel',
		wrongPassword: 'This is not your password. Nothing was deleted.',
		lastAdmin:
			'You are the only administrator of a domain. Make another member one first, or remove the domain. ' +
			'Nothing was deleted.',
	},
	members: {
		title: 'Members',
		open: 'Members',
		domain: 'Domain',
		loading: 'Loading the members…',
		you: 'You',
		provider: 'signs in through {provider}',
		link: 'Link for a new password',
		linkOf: 'Make a link for a new password for {name}',
		made: 'Send this link to {name}. It works once, until {until}, and is shown only now:',
		copy: 'Copy',
		copied: 'Copied',
		close: 'Done',
		otherDomains:
			'This account is also in domains that you do not administer. Its owner has to ask for an e-mail at sign-in, ' +
			'or whoever runs the machine sets a password: npm run account -- reset',
		noPassword: 'This account signs in through an identity provider, without a password.',
		roles: {
			admin: 'Platform administrator',
			business_admin: 'Administrator',
			business_staff: 'Staff',
			standard_customer: 'Member',
		},
	},
};

import type { accountEn } from './account-en.ts';

/** Italian texts about one's own account, and about the members of a domain. */
export const accountIt: typeof accountEn = {
	title: 'Il tuo account',
	open: 'Il tuo account',
	noEmail: 'Accedi tramite il provider di identità della tua organizzazione.',
	sessions: {
		title: 'Dove hai effettuato l’accesso',
		hint: 'Chiudi le sessioni che non riconosci, poi cambia la password.',
		loading: 'Caricamento delle sessioni…',
		current: 'Questo browser',
		on: '{browser} su {system}',
		unknown: 'Programma sconosciuto',
		since: 'Accesso {since}, ultima attività {last}',
		address: 'da {address}',
		end: 'Disconnetti',
		endOf: 'Disconnetti {what}, accesso {since}',
		endOthers: 'Disconnetti tutti gli altri',
		ended: 'La sessione è chiusa.',
		endedOthers: 'Tutte le altre sessioni sono chiuse.',
	},
	password: {
		title: 'Password',
		hint: 'Tutte le altre sessioni saranno chiuse.',
		current: 'Password attuale',
		submit: 'Cambia la password',
		wrong: 'Questa non è la tua password. Non è stato cambiato nulla.',
		done: 'La password è cambiata, e tutte le altre sessioni sono chiuse.',
	},
	removal: {
		title: 'Elimina il tuo account',
		hint: 'Saranno eliminati le tue appartenenze, le sessioni e le conversazioni con l’assistente. È definitivo.',
		open: 'Elimina l’account…',
		confirm: 'Eliminare definitivamente l’account di {name}?',
		submit: 'Elimina definitivamente',
		busy: 'Eliminazione…',
		cancel: 'Annulla',
		wrongPassword: 'Questa non è la tua password. Non è stato eliminato nulla.',
		lastAdmin:
			'Sei l’unico amministratore di un dominio. Nomina prima un altro membro, oppure rimuovi il dominio. ' +
			'Non è stato eliminato nulla.',
	},
	members: {
		title: 'Membri',
		open: 'Membri',
		domain: 'Dominio',
		loading: 'Caricamento dei membri…',
		you: 'Tu',
		provider: 'accede tramite {provider}',
		link: 'Link per una nuova password',
		linkOf: 'Crea un link per una nuova password di {name}',
		made: 'Invia questo link a {name}. Funziona una volta sola (scadenza: {until}) e viene mostrato solo ora:',
		copy: 'Copia',
		copied: 'Copiato',
		close: 'Fatto',
		otherDomains:
			'Questo account fa parte anche di domini che non amministri. Il suo proprietario deve chiedere un’e-mail ' +
			'dalla pagina di accesso, oppure chi gestisce la macchina imposta una password: npm run account -- reset',
		noPassword: 'Questo account accede tramite un provider di identità, senza password.',
		roles: {
			admin: 'Amministratore della piattaforma',
			business_admin: 'Amministratore',
			business_staff: 'Personale',
			standard_customer: 'Membro',
		},
	},
};

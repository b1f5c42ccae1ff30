/**
 * The sentences of answers, in the languages that questions may be asked in. Sentences that follow another begin with a
 * space.
 */
export const TEXTS = {
	en: {
		unknown:
			'I can name the least or most crowded room, the number of people in a room, the warmest, the coldest and the ' +
			'stuffiest room, the value of anything else that your sensors measure, and the latest alerts.',
		nothing:
			'There is no current value for that: no sensor in your buildings measures it, or none has sent a value lately.',
		least: (room: string, people: string, share: string) =>
			`${room} is the least crowded: ${people}, ${share} of its capacity.`,
		most: (room: string, people: string, share: string) =>
			`${room} is the most crowded: ${people}, ${share} of its capacity.`,
		about: (people: string, low: number, high: number) => `about ${people} (between ${low} and ${high})`,
		inRoom: (room: string, people: string, capacity: number) => `${people} in ${room}, which holds ${capacity}.`,
		overall: (people: string, rooms: number, of: number) =>
			`${people} in ${rooms} of ${of} rooms; the others have no current value.`,
		overallAll: (people: string, rooms: number) => `${people} in ${rooms} rooms.`,
		extreme: { warmest: 'the warmest', coldest: 'the coldest', 'worst-air': 'the stuffiest' },
		is: (room: string, what: string, value: string) => `${room} is ${what}: ${value}.`,
		measured: (metric: string, room: string, value: string) => `${metric} in ${room}: ${value}.`,
		lastMeasured: (metric: string, room: string, value: string, age: string) =>
			`${metric} in ${room}: ${value} ${age}; the current value is not known.`,
		notMeasured: (metric: string, room: string) =>
			`${metric} in ${room} is not known: no sensor has measured it there.`,
		highest: (metric: string, room: string, value: string) => `${metric} is highest in ${room}: ${value}.`,
		lowest: (metric: string, room: string, value: string) => `${metric} is lowest in ${room}: ${value}.`,
		noAlerts: 'There are no alerts.',
		alerts: (list: string) => `The latest alerts: ${list}.`,
		leftOut: (count: number) =>
			` (${count} ${count === 1 ? 'room' : 'rooms'} without a current value ${count === 1 ? 'is' : 'are'} left out.)`,
		lastValue: (age: string) => ` Last value ${age}.`,
		stuck: (time: string) => ` Its sensor has sent the same value for ${time} and may be broken.`,
		lastKnown: (room: string, people: string, age: string) =>
			`${people} in ${room} at the last count, ${age}; the current number is not known.`,
		offline: ' Its sensor is offline.',
		incomplete: (silent: number, of: number) =>
			` Incomplete: ${silent} of ${of} counters ${silent === 1 ? 'is' : 'are'} silent, so there may be more.`,
		incompleteRooms: (rooms: readonly string[]) =>
			rooms.length === 0 ? '' : ` Incomplete, as counters are silent: ${rooms.join(', ')}. There may be more.`,
		uncounted: (room: string) => `The number of people in ${room} is not known: no sensor has counted them there.`,
	},
	it: {
		unknown:
			'So dire qual è la stanza meno o più affollata, quante persone ci sono in una stanza, la stanza più calda o ' +
			"più fredda, quella con l'aria peggiore, il valore di ogni altra misura dei tuoi sensori e gli ultimi allarmi.",
		nothing:
			"Non c'è un valore attuale: nessun sensore dei tuoi edifici lo misura, o nessuno ha inviato dati di recente.",
		least: (room: string, people: string, share: string) =>
			`${room} è la meno affollata: ${people}, ${share} della capienza.`,
		most: (room: string, people: string, share: string) =>
			`${room} è la più affollata: ${people}, ${share} della capienza.`,
		about: (people: string, low: number, high: number) => `circa ${people} (tra ${low} e ${high})`,
		inRoom: (room: string, people: string, capacity: number) => `${people} in ${room}, che ne contiene ${capacity}.`,
		overall: (people: string, rooms: number, of: number) =>
			`${people} in ${rooms} stanze su ${of}; le altre non hanno un valore attuale.`,
		overallAll: (people: string, rooms: number) => `${people} in ${rooms} stanze.`,
		extreme: { warmest: 'la più calda', coldest: 'la più fredda', 'worst-air': "quella con l'aria peggiore" },
		is: (room: string, what: string, value: string) => `${room} è ${what}: ${value}.`,
		measured: (metric: string, room: string, value: string) => `${metric} in ${room}: ${value}.`,
		lastMeasured: (metric: string, room: string, value: string, age: string) =>
			`${metric} in ${room}: ${value} ${age}; il valore attuale non è noto.`,
		notMeasured: (metric: string, room: string) =>
			`${metric} in ${room}: valore non noto, nessun sensore lo ha misurato.`,
		highest: (metric: string, room: string, value: string) => `${metric}: il valore più alto è in ${room}, ${value}.`,
		lowest: (metric: string, room: string, value: string) => `${metric}: il valore più basso è in ${room}, ${value}.`,
		noAlerts: 'Non ci sono allarmi.',
		alerts: (list: string) => `Gli ultimi allarmi: ${list}.`,
		leftOut: (count: number) =>
			count === 1
				? ' (1 stanza senza un valore attuale non è contata.)'
				: ` (${count} stanze senza un valore attuale non sono contate.)`,
		lastValue: (age: string) => ` Ultimo dato: ${age}.`,
		stuck: (time: string) => ` Il suo sensore invia lo stesso valore da ${time} e potrebbe essere guasto.`,
		lastKnown: (room: string, people: string, age: string) =>
			`${people} in ${room} all'ultimo conteggio, ${age}; il numero attuale non è noto.`,
		offline: ' Il suo sensore è offline.',
		incomplete: (silent: number, of: number) =>
			` Incompleto: ${silent} di ${of} contatori senza dati, potrebbe essercene di più.`,
		incompleteRooms: (rooms: readonly string[]) =>
			rooms.length === 0
				? ''
				: ` Incompleto, per contatori senza dati: ${rooms.join(', ')}. Le persone potrebbero essere di più.`,
		uncounted: (room: string) => `Il numero di persone in ${room} non è noto: nessun sensore le ha contate.`,
	},
};

/**
 * What happens to an append that finds no room. `refuse`: it is rejected. `drop-oldest`: the oldest segments are
 * dropped.
 * `drop-newest`: the appended records are dropped. `thin`: well before the log is full, the oldest segments that no
 * consumer is near are rewritten with fewer records, chosen by a `Thin`; if that is not enough the oldest are dropped.
 */
export type WhenFull = 'refuse' | 'drop-oldest' | 'drop-newest' | 'thin';

/** Decides what happens to each record of a segment, oldest first, when it is thinned. The last record must stay. */
export type Thin = (payloads: readonly Buffer[]) => readonly ('keep' | 'drop' | { payload: string })[];

/**
 * The rules of alerts, as pure functions: which there are in a room, and what a value changes. Notification decides by
 * them on live readings, twin on stored ones.
 */
export { ALL_CLEAR, type Condition, type RuleKind, type Side } from './condition.ts';
export { decide } from './decide.ts';
export { metricOf, type Rule, rulesOf } from './rules-of.ts';

export { type Comparison, type Expression, type Labels, prefixLabels } from './expression.ts';
export { LabelIndex } from './label_index.ts';
export type { Restriction, Restrictions } from './restrictions.ts';
export { allOf, parseSelector, Selector } from './selector.ts';
export { SelectorIndex } from './selector_index.ts';
export { sha224, sha256 } from './sha2.ts';
export { SelectorError } from './tokenizer.ts';

// What a node knows of the cluster, kept current whatever is away.
export type { FeedEvent, FeedSource } from './events.ts';
export { type FeedOptions, openFeed, type ResourceApi } from './open_feed.ts';
export { Reading } from './reading.ts';
export { ResourceView, type ViewChange } from './view.ts';

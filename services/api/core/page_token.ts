/** Where a list goes on: which of its folders, after which path, at which revision. */
export type PagePosition = {
  readonly revision: bigint;
  readonly folder: number;
  readonly after: string;
};

export function formatPageToken({ revision, folder, after }: PagePosition): string {
  return `${revision}:${folder}:${after}`;
}

/** Undefined for a text that formatPageToken() never made. */
export function parsePageToken(token: string): PagePosition | undefined {
  const match = /^(\d{1,19}):(\d{1,3}):(.*)$/s.exec(token);
  if (match === null) return undefined;
  return { revision: BigInt(match[1] ?? 0), folder: Number(match[2]), after: match[3] ?? '' };
}

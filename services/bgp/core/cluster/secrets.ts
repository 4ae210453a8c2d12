/** As `secretKeyRef` names it. */
export type SecretName = { readonly name: string; readonly key: string };

/** A secret as it was at some time; another version has another value. */
export type SecretVersion = SecretName & { readonly version: number };

/** Which version of a secret is known; undefined: it is not there. Its value stays outside of the core. */
export type SecretVersions = (secret: SecretName) => number | undefined;

/** Version of this client; the same as that of the services of this repository. */
export const VERSION = '0.1.0';

/** Version of this whole repository: what every service and command answers. */
export const VERSION = '0.1.0';

/** Version of @mailhost/core, as in its package.json. Stamped by the release. */
export const coreVersion = "1.0.0";

/** What is said of a function of the globals. */

/**
 * @typedef {{ says: string, returns?: string, errors?: string, lua: string, js: string }} Entry
 */

/** The same text in both languages. */
export const same = (/** @type {string} */ says, /** @type {string} */ returns, /** @type {string} */ example, errors = "") => ({
  says,
  returns,
  errors,
  lua: example,
  js: example,
});
export const entry = (
  /** @type {string} */ says,
  /** @type {string} */ returns,
  /** @type {string} */ lua,
  /** @type {string} */ js,
  errors = "",
) => ({ says, returns, errors, lua, js });

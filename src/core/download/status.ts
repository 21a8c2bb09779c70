/** The error of a status other than success. */
import { SpellError } from "../errors.ts";
import type { Answer, RequestOptions } from "./request.ts";
import { setHubToken } from "./token.ts";

/** @returns the error of an answer with an unexpected status; its body is not read */
export function statusError({ response, url, firstHeaders }: Answer, { what, gatePage, secret }: RequestOptions): SpellError {
  const { status } = response;
  const said = `${what}: ${url.host} answered ${status}`;
  const details = { status, host: url.host };
  const options = { where: url.host, details };
  const hubCode = response.headers.get("x-error-code") ?? firstHeaders.get("x-error-code") ?? "";
  if (gatePage !== undefined && (status === 403 || (status === 401 && hubCode === "GatedRepo"))) {
    const why = secret === undefined ? "no token was sent" : "this token may not read it";
    return new SpellError("net-gated", `${said}: the repository is gated or private, and ${why}`, {
      where: url.host,
      actions: [setHubToken],
      hint: `Accept its terms at ${gatePage}, then set HF_TOKEN to a token that may read it.`,
      details: { ...details, page: gatePage },
    });
  }
  if (status === 401) {
    const why = secret === undefined ? "the repository does not exist, or it is private and needs a token" : "the token was refused";
    return new SpellError("net-auth", `${said}: ${gatePage === undefined ? "it needs a login" : why}`, {
      ...options,
      actions: [setHubToken],
    });
  }
  if (status === 404 || status === 410) return new SpellError("net-not-found", said, options);
  if (status === 407) return new SpellError("net-offline", `${said}: a proxy needs a password`, options);
  if (status === 429) return new SpellError("net-rate", `${said}: too many requests`, options);
  return new SpellError("net-status", said, options);
}

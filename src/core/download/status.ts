/** What a status other than success means, in words that help. */
import { SpellError } from "../errors.ts";
import type { Answer } from "./request.ts";

export interface StatusContext {
  readonly what: string;
  /** Page where a person accepts the licence, for hubs. */
  readonly gatePage?: string | undefined;
  readonly hasSecret: boolean;
}

/** @returns the error of an answer that is not the wanted one; its body is not read */
export function statusError({ response, url, firstHeaders }: Answer, { what, gatePage, hasSecret }: StatusContext): SpellError {
  const { status } = response;
  const said = `${what}: ${url.host} answered ${status}`;
  const options = { where: url.host, details: { status, host: url.host } };
  const hubCode = response.headers.get("x-error-code") ?? firstHeaders.get("x-error-code") ?? "";
  const token = { commands: ["export HF_TOKEN=…"] };
  if ((status === 401 || status === 403) && gatePage !== undefined && (hubCode === "GatedRepo" || status === 403)) {
    return new SpellError(
      "net-gated",
      `${said}: the repository is gated or private, and ${hasSecret ? "this token may not read it" : "no token was sent"}`,
      {
        ...options,
        ...token,
        hint: `Accept its terms at ${gatePage}, then set HF_TOKEN to a token that may read it.`,
        details: { ...options.details, page: gatePage },
      },
    );
  }
  if (status === 401) {
    const why = hasSecret ? "the token was refused" : "there is no such repository, or it is private and needs a token";
    return new SpellError("net-auth", `${said}: ${gatePage === undefined ? "it wants to know who asks" : why}`, { ...options, ...token });
  }
  if (status === 404 || status === 410) return new SpellError("net-not-found", said, options);
  if (status === 407) return new SpellError("net-offline", `${said}: a proxy wants a password`, options);
  if (status === 429) return new SpellError("net-rate", `${said}: too many requests`, options);
  return new SpellError("net-status", said, options);
}

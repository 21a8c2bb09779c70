/** Why a server could not begin to listen, in words for the person who started it. */
import { SpellError } from "../../core/errors.ts";

export function listenError(error: NodeJS.ErrnoException, host: string, port: number): SpellError {
  const [where, message, hint] = wordsOf(error, host, port);
  return new SpellError("usage-value", message, { where, hint, cause: error });
}

function wordsOf({ code, message }: NodeJS.ErrnoException, host: string, port: number): readonly [string, string, string] {
  switch (code) {
    case "EADDRINUSE":
      return [
        "--port",
        `port ${port} of ${host} is in use; expected a free one`,
        "--port 0 takes a free one. Another llmspell serve may be running.",
      ];
    case "EACCES":
      return [
        "--port",
        `port ${port} may not be taken by this user; expected one from 1024 on`,
        "A reverse proxy can stand on the port itself.",
      ];
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return [
        "--host",
        `${host} is no address of this machine; expected one, such as 127.0.0.1 or 0.0.0.0`,
        "0.0.0.0 is every IPv4 address.",
      ];
    default:
      return ["--host", `${host}:${port} cannot be listened on: ${message}`, "Try another address or port."];
  }
}

/**
 * What a person can do next, as data. Core says what; hosts say how: the command line words a command, a page a button, a server JSON. Types only.
 */
export type Action =
  /** Run a model. `model` is any form of its name. */
  | {
      readonly kind: "run";
      readonly model: string;
      readonly profile?: string | undefined;
      /** one of DeviceChoice */
      readonly device?: string | undefined;
      readonly quantization?: string | undefined;
    }
  /** Fetch a model. @param as a name for it @param force although it is here @param allowHosts private or local hosts that may be asked */
  | {
      readonly kind: "pull";
      readonly model: string;
      readonly as?: string | undefined;
      readonly force?: boolean | undefined;
      readonly allowHosts?: readonly string[] | undefined;
      readonly profile?: string | undefined;
    }
  /** Make a vector of a text with a model. */
  | { readonly kind: "embed"; readonly model: string }
  /** Score lines against a text with a model. */
  | { readonly kind: "rerank"; readonly model: string }
  /** What a model says about itself. */
  | { readonly kind: "info"; readonly model: string }
  /** What a tool takes and gives. */
  | { readonly kind: "tool-info"; readonly tool: string }
  /** Models that are here, or those of a provider. */
  | { readonly kind: "list"; readonly backend?: string | undefined }
  /** Models that can be pulled. */
  | { readonly kind: "available" }
  /** Forms of a model's name. */
  | { readonly kind: "help-names" }
  /** Look at every device, and test those that are there. */
  | { readonly kind: "diagnose" }
  /** Delete files of the store that no model uses. */
  | { readonly kind: "prune" }
  /** The effective configuration with the origin of each value, or a section of it. */
  | { readonly kind: "show-config"; readonly section?: string | undefined }
  | { readonly kind: "check-config"; readonly file: string }
  | { readonly kind: "new-config"; readonly file: string; readonly profile?: string | undefined }
  | { readonly kind: "list-profiles" }
  /** Call again under this profile. */
  | { readonly kind: "use-profile"; readonly profile: string }
  /** Call again with this option, by its name in code; a number or text for it, or true. */
  | { readonly kind: "use-option"; readonly name: string; readonly value: string | number | true }
  /** @param value absent: the person's own, a key for instance */
  | { readonly kind: "set-variable"; readonly name: string; readonly value?: string | undefined }
  | { readonly kind: "unset-variables"; readonly names: readonly string[] }
  /** Start the server that a provider of this type speaks to. */
  | { readonly kind: "start-server"; readonly server: string }
  /** A line for a shell; only hosts that have one give it. */
  | { readonly kind: "shell"; readonly line: string };

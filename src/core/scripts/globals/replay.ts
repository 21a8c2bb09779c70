/** `Replay`: what Session.replay() takes, and a way to compare values. */
import { compare } from "../../sessions/compare.ts";
import { replayModes } from "../../sessions/modes.ts";
import { definedOnly } from "../../values.ts";
import { any, data, instance, integer, list, number, oneOf, optional, options, text } from "../arguments.ts";
import { now, type ScriptClass, type ScriptFunctions } from "../bind.ts";
import { replayConfig } from "./session.ts";

/** Compares values by its own rules. */
export class ReplayComparator {
  readonly ignore: readonly string[];
  readonly tolerance: number;

  constructor({
    ignore = [],
    tolerance = 0,
  }: { readonly ignore?: readonly string[] | undefined; readonly tolerance?: number | undefined }) {
    this.ignore = ignore;
    this.tolerance = tolerance;
  }
}

const comparator = instance("comparator", ReplayComparator, "ReplayComparator");

export const replayComparatorClass: ScriptClass = {
  kind: ReplayComparator,
  methods: {
    compare: now([comparator, any("expected"), any("got")], (self, expected, got) => {
      const differences = compare(expected, got, self);
      return { is_same: differences.length === 0, differences };
    }),
  },
};

export function replayGlobal(): ScriptFunctions {
  return {
    modes: now([], () => replayModes),
    create_config: now([optional(oneOf("mode", replayModes)), optional(replayConfig)], (mode, given) =>
      definedOnly({ ...given, mode: mode ?? given?.mode ?? "exact" }),
    ),
    create_modification: now([integer("call", 1), data("input")], (call, input) => ({ call, input })),
    schedules: now([], () => ["now"]),
    create_comparator: now(
      [optional(options("options", [optional(list("ignore", text("field"))), optional(number("tolerance", 0))]))],
      (given) => new ReplayComparator(given ?? {}),
    ),
  };
}

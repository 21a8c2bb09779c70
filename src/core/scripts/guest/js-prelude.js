// Runs once, before a script: takes the door away from the global object and returns what the loop outside calls. Texts in, texts out.
// What stands here as a local cannot be replaced by a script, which may change every global and every prototype.
(() => {
  const { post, receive } = globalThis;
  for (const name of ["post", "receive", "Atomics", "SharedArrayBuffer", "navigator", "queueMicrotask"]) delete globalThis[name];
  const { parse, stringify } = JSON;
  const { isArray } = Array;
  const objectPrototype = Object.prototype;
  const { create, defineProperty, getOwnPropertyDescriptor, getOwnPropertyNames, getPrototypeOf, keys } = Object;
  const { hasOwnProperty: has } = objectPrototype;
  const { eval: evaluate } = globalThis;
  const { apply } = Reflect;
  const MapOf = Map;
  const PromiseOf = Promise;
  const ErrorOf = Error;
  const Str = String;
  const Num = Number;
  const isSafe = Number.isSafeInteger;
  const least = Math.min;
  const { then } = PromiseOf.prototype;
  const { get: mapGet, set: mapSet, delete: mapDelete, forEach: mapEach } = MapOf.prototype;
  const { get: weakGet, set: weakSet, has: weakHas } = WeakMap.prototype;
  const { slice } = Str.prototype;
  const BufferOf = ArrayBuffer;
  const { isView } = BufferOf;
  const Bytes = Uint8Array;
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const { toString: tagOf } = objectPrototype;
  const strange = create(null);
  for (const name of ["Date", "Map", "Set", "WeakMap", "WeakSet", "RegExp", "ArrayBuffer"])
    strange[`[object ${name}]`] = `${name === "ArrayBuffer" ? "an" : "a"} ${name}`;
  const cut = (text, most) => apply(slice, text, [0, most]);
  const maxDepth = 32;
  const maxText = 2000;
  const maxMessage = 4_194_304; // limits.scriptMessageBytes

  // Errors of the host. As text they are their message; the host's number of an error is not for scripts.
  const refs = new WeakMap();
  let hints = create(null); // by code, from the settings
  class SpellError extends ErrorOf {
    constructor(e) {
      super(e.message);
      this.hint = hints[e.code];
      this.retryable = false;
      for (const key of keys(e)) if (key !== "message" && key !== "ref" && key !== "where") this[key] = e[key];
      apply(weakSet, refs, [this, e.ref ?? 0]);
    }
    get name() {
      return "SpellError";
    }
    toString() {
      return Str(this.message);
    }
  }
  const wrong = (message, code = "script-argument") => new SpellError({ code, message });
  const unfit = (what) => wrong(`${what} cannot be passed on`);

  // Values. A copy of plain data in which functions and objects of the host are named by number.
  const ids = new WeakMap();
  function copy(v, functions, depth, above) {
    switch (typeof v) {
      case "string":
      case "boolean":
        return v;
      case "number":
        if (v - v !== 0) throw unfit("a number that is not finite");
        return v;
      case "undefined":
        return null;
      case "bigint": {
        // as whole numbers of Lua: those that a double cannot hold stay texts of all their digits
        const near = Num(v);
        return isSafe(near) ? near : Str(v);
      }
      case "symbol":
        throw unfit("a symbol");
      case "function":
        if (!functions) throw unfit("a function");
        return { $fn: functions(v) };
    }
    if (v === null) return null;
    const id = apply(weakGet, ids, [v]);
    if (id !== undefined) {
      if (!functions) throw unfit("an object of the host");
      return { $id: id };
    }
    if (depth >= maxDepth) throw unfit(`data nested deeper than ${maxDepth}`);
    for (let a = above; a; a = a.above) if (a.v === v) throw unfit("an object that holds itself");
    const here = { v, above };
    if (isArray(v)) {
      const out = [];
      for (let i = 0; i < v.length; i++) out[i] = copy(v[i], functions, depth + 1, here);
      return out;
    }
    if (v instanceof PromiseOf) throw unfit("a Promise (is an await missing?)");
    // their content is in no key, or is bytes
    const kind = strange[apply(tagOf, v, [])] ?? (isView(v) ? "binary data" : undefined);
    if (kind) throw wrong(`expected plain data, got ${kind}`);
    const out = create(null);
    for (const key of keys(v))
      if (v[key] !== undefined) out[functions && key[0] === "$" ? `$${key}` : key] = copy(v[key], functions, depth + 1, here);
    return out;
  }
  /** Bytes are themselves where a call takes them. */
  function copyArgument(v, functions, isBytes) {
    const bytes =
      isBytes && (v instanceof BufferOf ? new Bytes(v) : isView(v) ? new Bytes(v.buffer, v.byteOffset, v.byteLength) : undefined);
    if (!bytes) return copy(v, functions, 1);
    let out = "";
    const { length } = bytes;
    for (let i = 0; i < length; i += 3) {
      const three = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
      out += digits[three >> 18] + digits[(three >> 12) & 63];
      out += (i + 1 < length ? digits[(three >> 6) & 63] : "=") + (i + 2 < length ? digits[three & 63] : "=");
    }
    return { $bytes: out };
  }
  function copyAll(args, functions, isBytes) {
    const out = [];
    for (let i = 0; i < args.length; i++) out[i] = copyArgument(args[i], functions, isBytes);
    return out;
  }
  const objects = new MapOf();
  const classes = create(null);
  function revive(v) {
    if (v === null || typeof v !== "object") return v;
    if (isArray(v)) {
      for (let i = 0; i < v.length; i++) v[i] = revive(v[i]);
      return v;
    }
    if (v.$id !== undefined) {
      let o = apply(mapGet, objects, [v.$id]);
      if (!o) {
        o = create(classes[v.$class] ?? null);
        apply(mapSet, objects, [v.$id, o]);
        apply(weakSet, ids, [o, v.$id]);
      }
      return o;
    }
    const out = {};
    for (const key of keys(v))
      defineProperty(out, key[0] === "$" ? apply(slice, key, [1]) : key, {
        value: revive(v[key]),
        writable: true,
        enumerable: true,
        configurable: true,
      });
    return out;
  }

  // Calls: both kinds send the same message. One waits for its answer, the other leaves a promise behind.
  let serial = 0;
  const open = new MapOf();
  // Functions that are called within later calls, by the names of the calls that give them.
  const keeping = create(null);
  // Calls that take bytes.
  const taking = create(null);
  const kept = [];
  const early = [];
  function send(name, args) {
    const id = ++serial;
    const mine = [];
    const number = keeping[name] ? (f) => -kept.push(f) : (f) => mine.push(f);
    const text = stringify({ t: "call", id, f: name, a: copyAll(args, number, taking[name]) });
    if (text.length > maxMessage)
      throw wrong(`${name}: expected arguments of at most ${maxMessage} characters together, got ${text.length}`);
    post(text);
    return { id, mine };
  }
  const fault = (call, e) => (e.code === "callback" ? call.thrown : new SpellError(e));
  function now(name, args) {
    const call = send(name, args);
    for (;;) {
      const message = parse(receive());
      if (message.id !== call.id) early.push(message);
      else if (message.t === "ret") return revive(message.v);
      else if (message.t === "err") throw fault(call, message.e);
      else callBack(call, message, true);
    }
  }
  function later(name, args) {
    const call = send(name, args);
    // where it was asked: when the answer comes, nothing of the script is on the stack
    call.stack = new ErrorOf("").stack;
    return new PromiseOf((resolve, reject) => {
      call.resolve = resolve;
      call.reject = reject;
      apply(mapSet, open, [call.id, call]);
    });
  }
  // A result may be an object of the host, but no function: nobody could call it.
  const noFunction = () => {
    throw unfit("a function");
  };
  function deliver(message) {
    const call = apply(mapGet, open, [message.id]);
    if (!call) return;
    if (message.t === "cb") return callBack(call, message);
    apply(mapDelete, open, [message.id]);
    if (message.t === "ret") call.resolve(revive(message.v));
    else {
      const error = fault(call, message.e);
      if (message.e.code !== "callback") defineProperty(error, "stack", { value: call.stack, writable: true, configurable: true });
      call.reject(error);
    }
  }
  // Those that may compute for a time of their own, within each other.
  const timed = [];
  /** @param isNow no job runs before the call has its answer, so a promise would never settle */
  function callBack(call, message, isNow) {
    const { ms } = message;
    // the host goes on without one that has a time of its own, or that it was given to keep: who calls these, agents and workflows, ends in time
    const holds = ms || message.fn < 0 ? 0 : 1;
    call.held = (call.held ?? 0) + holds;
    const back = (ok, v) => {
      call.held -= holds;
      const text = stringify({ t: "back", id: message.id, n: message.n, ok, v });
      if (text.length <= maxMessage) post(text);
      else back(false, `expected a result of at most ${maxMessage} characters, got ${text.length}`);
    };
    const fail = (e) => {
      call.thrown = e;
      back(false, describe(e).message);
    };
    const done = (v) => {
      let sent;
      try {
        sent = copy(v, noFunction, 0);
      } catch (e) {
        return fail(e);
      }
      back(true, sent);
    };
    if (ms) {
      post(`<${ms}`);
      timed[timed.length] = fail;
    }
    try {
      const v = apply(message.fn < 0 ? kept[-message.fn - 1] : call.mine[message.fn - 1], undefined, revive(message.a));
      if (!(v instanceof PromiseOf)) done(v);
      else if (!isNow) apply(then, v, [done, fail]);
      else {
        const nobody = () => undefined;
        apply(then, v, [nobody, nobody]);
        fail(wrong("expected a result at once, got a Promise: the call that asks for it does not wait"));
      }
    } catch (e) {
      fail(e);
    } finally {
      if (ms) ended();
    }
  }
  function ended() {
    post("<");
    timed.length--;
  }
  // An interrupt ended them, which nothing in them can catch.
  function late() {
    while (timed.length > 0) {
      timed[timed.length - 1](wrong("the function computed for longer than it may", "script-time"));
      ended();
    }
  }

  const define = (name, value) => defineProperty(globalThis, name, { value, writable: true, enumerable: false, configurable: true });
  function makeGlobals({ globals, classes: kinds, named, waits, keeps, takesBytes }) {
    for (const name of keeps) keeping[name] = true;
    for (const name of takesBytes) taking[name] = true;
    const waiting = create(null);
    for (const name of waits) waiting[name] = true;
    for (const name of keys(globals)) {
      const group = {};
      for (const alias of keys(globals[name])) {
        const real = globals[name][alias];
        group[alias] = waiting[real] ? async (...a) => later(real, a) : (...a) => now(real, a);
      }
      if (name === "Debug") group.stackTrace = group.stack_trace = () => Str(new ErrorOf("").stack);
      define(name, group);
    }
    for (const name of keys(named)) {
      const { call, get, names } = named[name];
      const execute = (own) => async (params) => later(call, [own, params]);
      for (const alias of keys(names)) {
        const run = execute(names[alias]);
        run.execute = run;
        globalThis[name][alias] = run;
      }
      const find = globalThis[name][get];
      globalThis[name][get] = (...a) => {
        const found = find(...a);
        if (found) defineProperty(found, "execute", { value: execute(found.name) });
        return found;
      };
    }
    for (const name of keys(kinds)) {
      const methods = {};
      for (const alias of keys(kinds[name])) {
        const real = kinds[name][alias];
        const value = waiting[real]
          ? async function (...a) {
              return later(real, [this, ...a]);
            }
          : function (...a) {
              return now(real, [this, ...a]);
            };
        defineProperty(methods, alias, { value, writable: true, enumerable: false, configurable: true });
      }
      defineProperty(methods, "toString", { value: () => name, enumerable: false });
      classes[name] = methods;
    }
  }

  // What the guest itself gives.
  const show = (v) => {
    if (typeof v === "object" && v !== null && !(v instanceof ErrorOf) && !apply(weakHas, ids, [v])) {
      try {
        const s = stringify(v, null, 2);
        if (typeof s === "string") return s;
      } catch {
        // as text
      }
    }
    try {
      return Str(v);
    } catch {
      return `(${typeof v})`;
    }
  };
  const line = (values) => {
    let s = "";
    for (let i = 0; i < values.length; i++) s += (i > 0 ? " " : "") + show(values[i]);
    return s;
  };
  const print = (...values) => post(`>${line(values)}\n`);
  const log =
    (level) =>
    (...values) =>
      post(stringify({ t: "log", l: level, s: cut(line(values), 100_000) }));

  JSON.null = null;
  JSON.array = (list) => list ?? [];
  JSON.parse = (text, reviver) => {
    if (typeof text !== "string")
      throw wrong(`JSON.parse: s: expected text, got ${text === undefined || text === null ? "nothing" : typeof text}`);
    try {
      return parse(text, reviver);
    } catch (e) {
      if (!(e instanceof SyntaxError)) throw e;
      const { message } = e;
      throw wrong(/ at position /.test(message) ? message : `${message} at position ${text.length}`, "script-json");
    }
  };

  // A generator whose next value is looked at in advance, so that isDone() is true after the last one. Of an async one everything is a promise.
  function stream(make) {
    if (typeof make !== "function")
      throw wrong(`Streaming.create: fn: expected a function, got ${make === undefined ? "nothing" : typeof make}`);
    const steps = make();
    if (typeof steps?.next !== "function")
      throw wrong("Streaming.create: fn: expected a generator function (function*), got another function");
    let ahead;
    const look = () => (ahead ??= steps.next());
    const after = (step, use) => (step instanceof PromiseOf ? step.then(use) : use(step));
    const self = {
      next: () =>
        after(look(), (step) => {
          if (step.done) return undefined;
          ahead = undefined;
          return step.value;
        }),
      isDone: () => after(look(), (step) => step.done === true),
      collect() {
        const all = [];
        const go = () => {
          for (;;) {
            const step = look();
            if (step instanceof PromiseOf) return step.then((got) => (add(got) ? go() : all));
            if (!add(step)) return all;
          }
        };
        const add = (step) => {
          if (step.done) return false;
          all.push(step.value);
          ahead = undefined;
          return true;
        };
        return go();
      },
    };
    self.is_done = self.isDone;
    return self;
  }

  const timers = new MapOf();
  let timerSerial = 0;
  function setTimer(f, ms, args, repeats) {
    if (typeof f !== "function") throw wrong(`setTimeout: fn: expected a function, got ${typeof f}`);
    const wait = typeof ms === "number" && ms > 0 ? ms : 0;
    const id = ++timerSerial;
    const arm = () => {
      const call = send("timer", [least(wait, 2_147_483_647)]);
      call.reject = () => undefined;
      call.resolve = () => {
        apply(mapDelete, timers, [id]);
        if (repeats) arm();
        // No call waits for its error.
        void new PromiseOf((resolve) => resolve(apply(f, undefined, args)));
      };
      apply(mapSet, open, [call.id, call]);
      apply(mapSet, timers, [id, call.id]);
    };
    arm();
    return id;
  }
  function clearTimer(id) {
    const call = apply(mapGet, timers, [id]);
    if (call === undefined) return;
    apply(mapDelete, timers, [id]);
    apply(mapDelete, open, [call]);
    post(stringify({ t: "call", id: ++serial, f: "timer.clear", a: [call] }));
  }

  function exit(n = 0) {
    if (!isSafe(n) || n < 0 || n > 255) throw wrong(`exit: n: expected a whole number from 0 to 255, got ${show(n)}`);
    post(stringify({ t: "end", exit: n }));
    for (;;) receive(); // the host ends this process
  }

  // Levels of the library, each with what the ones before it have.
  function configure(settings) {
    hints = settings.hints;
    makeGlobals(settings.manifest);
    const level = ["None", "Basic", "Standard", "All"].indexOf(settings.stdlib);
    define("print", print);
    define("Streaming", { create: stream });
    if (level >= 1 && settings.hasConsole)
      define("console", { log: print, debug: log("info"), info: log("info"), warn: log("warn"), error: log("error") });
    if (level < 2) return;
    define("exit", exit);
    define("setTimeout", (f, ms, ...args) => setTimer(f, ms, args, false));
    define("setInterval", (f, ms, ...args) => setTimer(f, ms, args, true));
    define("clearTimeout", clearTimer);
    define("clearInterval", clearTimer);
  }

  function setArguments({ script, positional, named }) {
    const all = {};
    for (const key of keys(named)) defineProperty(all, key, { value: named[key], writable: true, enumerable: true, configurable: true });
    for (let i = 0; i < positional.length; i++) all[i + 1] = positional[i];
    all[0] = script;
    defineProperty(all, "length", { value: positional.length, writable: true, enumerable: false, configurable: true });
    define("ARGS", all);
  }

  function describe(e) {
    try {
      if (e === null || e === undefined) return { code: "script-error", message: `thrown: ${Str(e)}` };
      if (apply(weakHas, refs, [e])) {
        const { code, hint, commands, retryable, details } = e;
        return {
          code: Str(code),
          message: cut(Str(e.message), maxText),
          hint,
          commands,
          retryable,
          details,
          ref: apply(weakGet, refs, [e]),
          trace: Str(e.stack),
        };
      }
      if (e instanceof ErrorOf) {
        const message = cut(Str(e.message), maxText);
        const name = Str(e.name);
        if (message === "Maximum call stack size exceeded" || message === "stack overflow")
          return { code: "script-stack", message, trace: Str(e.stack) };
        if (message === "interrupted") return { code: "script-time", message, isLate: timed.length > 0 };
        if (message === "out of memory") return { code: "script-memory", message };
        if (name === "SyntaxError") return { code: "script-syntax", message, trace: Str(e.stack) };
        return { code: "script-error", message: `${name}: ${message}`, trace: Str(e.stack) };
      }
      return { code: "script-error", message: `thrown: ${cut(show(e), maxText)}` };
    } catch {
      return { code: "script-error", message: "an error that cannot be shown" };
    }
  }
  // Names for a person who types. Values are looked up by their descriptors: no getter is called.
  const isObject = (v) => (typeof v === "object" && v !== null) || typeof v === "function";
  const found = (o, name) => {
    const d = getOwnPropertyDescriptor(o, name);
    return d && { value: apply(has, d, ["value"]) ? d.value : undefined };
  };
  const lookUp = (o, name) => {
    for (let at = o; isObject(at); at = getPrototypeOf(at)) {
      const own = found(at, name);
      if (own) return own;
    }
  };
  /** Of `let`, `const` and `class` at the top, which are no members of the global object. */
  const declaredValue = (name) => {
    try {
      return /^[\w$]+$/.test(name) ? evaluate(name) : undefined;
    } catch {
      return undefined;
    }
  };
  function members({ path, declared }) {
    let at = globalThis;
    for (let i = 0; i < path.length; i++) {
      const step = lookUp(at, path[i]);
      const value = step ? step.value : i === 0 ? declaredValue(path[i]) : undefined;
      at = isObject(value) ? value : typeof value === "string" ? Str.prototype : undefined;
      if (!at) return create(null);
    }
    const out = create(null);
    for (let o = at; isObject(o) && (o !== objectPrototype || o === at); o = getPrototypeOf(o))
      for (const name of getOwnPropertyNames(o)) if (!(name in out)) out[name] = typeof found(o, name)?.value;
    if (path.length === 0) for (const name of declared) out[name] = typeof declaredValue(name);
    return out;
  }

  let outcome = "";
  const failed = (e) => {
    let text;
    try {
      text = stringify({ t: "fail", e: copy(describe(e), undefined, 0) });
    } catch {
      text = '{"t":"fail","e":{"code":"script-error","message":"an error that cannot be shown"}}';
    }
    outcome = text;
    return text;
  };
  return {
    configure(text) {
      configure(parse(text));
      return "";
    },
    begin(args) {
      outcome = "";
      timed.length = 0;
      if (args !== "") setArguments(parse(args));
      return "";
    },
    deliver(text) {
      deliver(parse(text));
      return "";
    },
    early() {
      const message = early.shift();
      if (message) deliver(message);
      return message ? "1" : "";
    },
    /** "0": no call is open; "held": each that is waits for its own callback, so nothing comes any more. */
    open() {
      let n = 0;
      apply(mapEach, open, [(call) => (n += call.held > 0 ? 0 : 1)]);
      return n === 0 && open.size > 0 ? "held" : Str(n);
    },
    settle(promise) {
      const ended = (namespace) => {
        try {
          outcome = stringify({ t: "end", v: copy(namespace?.default, undefined, 0) });
        } catch (e) {
          failed(apply(weakHas, refs, [e]) ? new ErrorOf(`the result: ${e.message}`) : e);
        }
      };
      apply(then, promise, [ended, failed]);
      return "";
    },
    show(promise) {
      const shown = (value) => {
        if (value !== undefined) print(value);
        outcome = '{"t":"end"}';
      };
      // a promise is shown by what it becomes
      const ended = ({ value }) => (value instanceof PromiseOf ? void apply(then, value, [shown, failed]) : shown(value));
      apply(then, promise, [ended, failed]);
      return "";
    },
    failed,
    late() {
      late();
      return "";
    },
    denied: (text) => new SpellError(parse(text)),
    outcome: () => outcome,
    keys: (text) => stringify({ t: "end", v: members(parse(text)) }),
  };
})();

/**
 * Every command and flag, once: parsing, help and completion all read this table. Data only; it imports nothing heavy,
 * because `--version` and `--help` wait for it.
 */
import { replayModes } from "../../core/sessions/modes.ts";
import { sessionStatuses } from "../../core/sessions/types.ts";
import { deviceChoices } from "../../core/spec/devices.ts";
import { specGrammar } from "../../core/spec/model-spec.ts";
import {
  backendFlag,
  embedFlags,
  type Flag,
  fileFlag,
  flag,
  formFlags,
  modelFlags,
  ragFlags,
  ragSearchFlags,
  runFlags,
  scriptFlags,
  shells,
} from "./flags.ts";
import { defaultReranker, modelPages } from "./names.ts";
import { daysProblem, emptyProblem, hostProblem, integerProblem, keptNameProblem, originProblem } from "./problems.ts";

export interface Operand {
  readonly name: string;
  readonly optional?: boolean | undefined;
  /** any number of them */
  readonly repeated?: boolean | undefined;
  readonly choices?: readonly string[] | undefined;
}

export interface Command {
  /** as typed; "model info" has two words */
  readonly name: string;
  readonly aliases?: readonly string[] | undefined;
  readonly summary: string;
  readonly operands: readonly Operand[];
  /** Words after `--` are handed on as they are. */
  readonly takesRest?: boolean | undefined;
  /** Flags that are not in the table are handed on too. */
  readonly takesOtherFlags?: boolean | undefined;
  readonly flags: readonly Flag[];
  /** More to know, in short paragraphs. */
  readonly notes?: readonly string[] | undefined;
  /** [command line, what it does] */
  readonly examples: readonly (readonly [string, string])[];
  /** exit statuses that can happen, besides 0 and 2 */
  readonly exits: readonly number[];
}

const scriptNote =
  "After -- everything belongs to the script: --key value and --key=value are named arguments, other words are positional. Scripts find them in ARGS.";

const idNote = "ID may be the beginning of one, where no other begins so.";

const table: readonly (Pick<Command, "name" | "summary" | "examples"> & Partial<Command>)[] = [
  {
    name: "generate",
    summary: "one prompt, one answer",
    operands: [{ name: "PROMPT", optional: true, repeated: true }],
    flags: [
      ...modelFlags,
      ...formFlags,
      flag("--prefix-cache", "keep what is computed for the prompt; later runs compute only what differs"),
    ],
    notes: [
      "Several words are one PROMPT. Text piped to standard input comes first, then a blank line, then PROMPT. With - as PROMPT it is the whole prompt.",
    ],
    examples: [
      ['llmspell generate "Once upon a time"', "a story from the bundled model"],
      ['llmspell generate -m ./model.gguf --temperature 0 "Why is the sky blue?"', "your own file, the likeliest token each time"],
      ['llmspell generate -m ./model.gguf "Sum this up." < notes.txt', "a file first, then the request"],
      ['llmspell generate --output json --seed 7 "Once" | jq -r .text', "for programs"],
    ],
    exits: [1, 3, 4, 5, 130],
  },
  {
    name: "chat",
    summary: "a conversation",
    flags: [
      ...modelFlags,
      ...formFlags,
      flag("--load FILE", "continue a conversation saved with /save"),
      flag("--keep NAME", "keep this conversation after each turn, and go on with it in later chats", { problem: keptNameProblem }),
      flag("--no-history", "what is typed is not kept for the up key of later chats"),
    ],
    notes: [
      '/help lists the commands of a chat. A paste is one message; Alt-Enter, or \\ before Enter, begins a new line; """ begins and ends a text of several lines.',
      "Ctrl-C stops an answer and keeps its text. Ctrl-D leaves.",
      "If standard input is not a terminal, each line is one turn. A command that fails there changes only the exit code.",
    ],
    examples: [
      ["llmspell chat -m ./model.gguf", "talk to your own file"],
      ['llmspell chat -m ./model.gguf --system "Answer in French."', "with a system prompt"],
      ["llmspell chat -m ./model.gguf --keep trip", "the same conversation each time"],
      ["llmspell chat -m ./model.gguf --output json < questions.txt", "one turn a line, one document at the end"],
    ],
    exits: [1, 3, 4, 5, 130],
  },
  {
    name: "embed",
    summary: "vectors of texts",
    operands: [{ name: "TEXT", optional: true, repeated: true }],
    flags: [flag("--query", "the texts are questions: the model's own prefix for them is used"), ...embedFlags],
    notes: ["Without TEXT, each line of standard input is a text. In text output each vector is a line, a JSON array."],
    examples: [
      ['llmspell embed -m ./minilm "a cat on a roof"', "a folder of safetensors"],
      ["llmspell embed -m ./nomic.gguf --dimensions 256 --output json < lines.txt", "a vector for each line"],
    ],
    exits: [1, 3, 4, 5, 130],
  },
  {
    name: "similar",
    summary: "lines that are most like a text, best first",
    operands: [{ name: "TEXT" }, { name: "FILE", optional: true }],
    flags: [
      flag("--top-k N", "only the best N lines", { problem: integerProblem(1, 2 ** 31 - 1) }),
      flag("--rerank", `a model that reads TEXT and line together scores them [${defaultReranker}]: slower, and better`),
      ...embedFlags,
    ],
    notes: [
      "Lines come from FILE, else from standard input; empty ones are left out. Scores are cosines, 1 for the same meaning; with --rerank what the model gives, larger for a better fit.",
    ],
    examples: [
      ['llmspell similar "how do I pay?" questions.txt --top-k 3', "search a file"],
      ['llmspell similar --rerank "how do I pay?" answers.txt --top-k 3', "by a re-ranking model"],
      ['cut -d, -f2 items.csv | llmspell similar "garden chair" --output json', "text, score and line number, for programs"],
    ],
    exits: [1, 3, 4, 5, 130],
  },
  {
    name: "serve",
    summary: "models behind an address, for programs that speak OpenAI's API",
    flags: [
      flag("-m, --model SPEC", "a model under this name, also a path; others are named as they are installed", { repeated: true }),
      flag("--host ADDRESS", "address to listen on; one that others reach needs a token [127.0.0.1]", { problem: emptyProblem }),
      flag("--port N", "0 = a free one [8088]", { problem: integerProblem(0, 65_535) }),
      flag("--token-env NAME", "the variable that holds the token which requests must send", { problem: emptyProblem }),
      flag("--allow-host NAME", "a name that requests may have for this server, with any port or NAME:PORT", {
        repeated: true,
        problem: hostProblem,
      }),
      flag("--allow-origin URL", "pages of this origin may ask", { repeated: true, problem: originProblem }),
      flag("--allow-pull", "a request may download the model that it names"),
      flag("--parallel N", "answers at once, where there is a graphics card [providers.candle.max_concurrent]", {
        problem: integerProblem(1, 64),
      }),
      flag("--keep-alive SECS", "idle time until a model is unloaded; 0 = after each answer, -1 = never [300]", {
        problem: integerProblem(-1, 31_536_000),
      }),
      flag("--ollama-api", "also answer Ollama's own API, under /api"),
    ],
    notes: [
      "The address is printed once it listens. Each request is a line on standard error, without what it says; --trace warn hides them.",
      "Ctrl-C and SIGTERM end it with 0: answers under way have 10 s. A second Ctrl-C ends it at once, with 130.",
    ],
    examples: [
      ["llmspell serve", "at http://127.0.0.1:8088, every installed model by its name"],
      ["llmspell serve -m ./model.gguf --port 0 --output json | jq -r .url", "a file, at a free port"],
      ["llmspell serve --host 0.0.0.0 --token-env SERVE_TOKEN", "for other machines"],
      ["llmspell serve --port 11434 --ollama-api", "for programs that know only Ollama"],
    ],
    exits: [3, 5, 130],
  },
  {
    name: "run",
    summary: "a script file, in Lua or JavaScript",
    operands: [{ name: "SCRIPT" }, { name: "ARG", optional: true, repeated: true }],
    takesRest: true,
    flags: runFlags,
    notes: ["With - as SCRIPT the script is read from standard input.", scriptNote],
    examples: [
      ["llmspell run hello.lua", 'print(LocalLLM.generate("tiny-stories", "Once upon a time").text)'],
      ["llmspell run label.js notes.csv -- --column text", "ARGS[1] is notes.csv, ARGS.column is text"],
      ["llmspell run agent.lua -p candle --output json | jq .result", "what the script returns"],
    ],
    exits: [1, 3, 4, 5, 130],
  },
  {
    name: "exec",
    summary: "a script given on the command line",
    operands: [{ name: "CODE" }],
    takesRest: true,
    flags: runFlags,
    notes: [scriptNote],
    examples: [
      ["llmspell exec 'print(JSON.stringify(LocalLLM.list()))'", "the installed models"],
      ["llmspell exec --engine js 'console.log(await LocalLLM.status())'", "in JavaScript"],
    ],
    exits: [1, 3, 4, 5, 130],
  },
  {
    name: "repl",
    summary: "an interactive shell for scripts",
    flags: [
      ...scriptFlags,
      flag("--history PATH", "file of earlier inputs [history/repl in the home]", { problem: emptyProblem }),
      flag("--no-history", "neither read nor keep inputs"),
    ],
    notes: [
      "An expression shows its value. .help lists the commands of the shell. Ctrl-C stops an answer and keeps all variables; an input that computes or sleeps on is ended with its engine. Ctrl-D leaves.",
    ],
    examples: [["llmspell repl", "try LocalLLM.list()"]],
    exits: [1, 130],
  },
  {
    name: "model list",
    aliases: ["model ls", "list", "ls"],
    summary: "installed models",
    flags: [backendFlag, flag("-v, --verbose", "also source, revision, check, licence and path")],
    examples: [["llmspell model list", "every model that runs without a download"]],
    exits: [3, 5, 130],
  },
  {
    name: "model available",
    summary: "models that can be pulled",
    operands: [{ name: "TEXT", optional: true, repeated: true }],
    flags: [
      backendFlag,
      flag("--recommended", "only recommended models"),
      flag("--search TEXT", "the same as TEXT: only models that have it in name, description or source"),
    ],
    examples: [
      ["llmspell model available --recommended", "where to begin"],
      ["llmspell model available qwen", "a family"],
    ],
  },
  {
    name: "model pull",
    aliases: ["pull"],
    summary: "download models",
    operands: [{ name: "SPEC", repeated: true }],
    flags: [
      flag("-f, --force", "download again; the old file is replaced once the new one is verified"),
      flag("--quantization Q", "variant, the same as SPEC:Q"),
      flag("--as NAME", "a name of your own; a path is registered where it lies"),
      flag("--offline", "never download"),
      flag("--allow-host HOST", "allow this private or local host", { repeated: true }),
      flag("--dry-run", "show what would be downloaded, and stop"),
    ],
    notes: [`SPEC is ${specGrammar}.`, "An interrupted download is kept; the same command continues it.", ...modelPages],
    examples: [
      ["llmspell model available", "models of the catalogue"],
      ["llmspell model pull tinyllama@candle", "from the catalogue"],
      ["llmspell model pull flan-t5-small@candle", "a T5 folder"],
      ["llmspell model pull llama3.1:8b@ollama", "by the Ollama server"],
      ["llmspell model pull hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M", "from the Hugging Face Hub"],
    ],
    exits: [3, 5, 130],
  },
  {
    name: "model info",
    aliases: ["model show", "show"],
    summary: "details of a model, read from its headers",
    operands: [{ name: "SPEC" }],
    flags: [flag("--remote", "read the headers over the network; no weights are downloaded")],
    examples: [
      ["llmspell model info tiny-stories", "the bundled model"],
      ["llmspell model info ./model.gguf", "a file"],
      ["llmspell model info hf:google/flan-t5-small --remote", "before it is pulled"],
      ["llmspell model info ./model.gguf --output json | jq .context_length", "one value, for programs"],
    ],
    exits: [3, 5, 130],
  },
  {
    name: "model remove",
    aliases: ["model rm", "rm"],
    summary: "delete models",
    operands: [{ name: "SPEC", repeated: true }],
    flags: [flag("-y, --yes", "do not ask")],
    examples: [["llmspell model remove tinyllama", "also deletes files that no other model uses"]],
    exits: [3, 5, 130],
  },
  {
    name: "model status",
    summary: "state of the backends",
    flags: [backendFlag],
    examples: [["llmspell model status", "whether Ollama runs, how many models are installed"]],
    exits: [3, 5, 130],
  },
  {
    name: "model verify",
    summary: "check the hashes of stored files",
    operands: [{ name: "SPEC", repeated: true, optional: true }],
    flags: [flag("--all", "every model; the same as no SPEC")],
    examples: [["llmspell model verify --all", "status 3 if a file has changed"]],
    exits: [3, 130],
  },
  {
    name: "model prune",
    summary: "delete unfinished downloads and unused files",
    flags: [
      flag("--older-than DAYS", "only files not touched for this long [0]", { problem: daysProblem }),
      flag("--dry-run", "show what would be deleted"),
      flag("-y, --yes", "do not ask"),
    ],
    notes: ["A file that came within the last hour stays: a download may be about to make it part of a model."],
    examples: [["llmspell model prune --dry-run", "how much it would free"]],
    exits: [3, 130],
  },
  {
    name: "tool list",
    summary: "built-in tools, and those of servers in tools.mcp.servers",
    flags: [flag("--category C", "only those of this category"), flag("--tag T", "only those with this tag")],
    examples: [["llmspell tool list", "all of them"]],
    exits: [1],
  },
  {
    name: "tool info",
    summary: "what a tool takes and gives",
    operands: [{ name: "NAME" }],
    examples: [["llmspell tool info calculator", "its members, with their types"]],
    exits: [1],
  },
  {
    name: "tool invoke",
    summary: "run a tool",
    operands: [{ name: "NAME" }, { name: "JSON", optional: true }],
    takesRest: true,
    takesOtherFlags: true,
    notes: [
      "The input is JSON, or a flag for each member: --key value, --key=value, or --key for true. With - as JSON it is read from standard input.",
      "Members that are named as flags of llmspell stand after --; --version behind NAME is one. Files and hosts are those that runtime.security and tools allow.",
    ],
    examples: [
      ['llmspell tool invoke calculator --expression "2*(3+4)"', "14"],
      ['llmspell tool invoke json-processor \'{"input": {"a": [1, 2]}, "query": ".a | add"}\'', "3"],
      ['llmspell tool invoke csv-analyzer --output json -- --csv "$(cat items.csv)"', "columns and first rows, for programs"],
    ],
    exits: [1, 5, 130],
  },
  {
    name: "ps",
    summary: "loaded models and their devices",
    flags: [flag("--all", "also those of an Ollama server that is not configured")],
    examples: [["llmspell ps", "models of other llmspell processes, and of Ollama"]],
    exits: [5, 130],
  },
  {
    name: "rag ingest",
    summary: "index files for search: Markdown, text, code, CSV, JSON, HTML, PDF, DOCX",
    operands: [{ name: "PATH", repeated: true }],
    flags: [...ragFlags, flag("--pull", "download the embedding model if it is not installed"), flag("--offline", "never download")],
    notes: [
      "PATH is a file, a folder, or a pattern in quotes such as 'notes/**/*.md'. Files that .gitignore names are left out. What did not change is not embedded again; what is gone from a folder leaves the index.",
      "The index lies in rag.vector_storage.persistence_path, else in rag/default of the home folder.",
    ],
    examples: [
      ["llmspell rag ingest ~/notes", "a folder; again after changes"],
      ["llmspell rag ingest 'docs/**/*.md' --collection handbook", "an index of its own"],
    ],
    exits: [1, 3, 4, 5, 130],
  },
  {
    name: "rag search",
    summary: "passages that answer a question, best first",
    operands: [{ name: "QUERY", repeated: true }],
    flags: [...ragSearchFlags, flag("--pull", "download the embedding model if it is not installed"), flag("--offline", "never download")],
    examples: [
      ['llmspell rag search "how hot is the oven"', "passages with source and heading"],
      [`llmspell rag search "oven" --output json | jq -r '.results[].source'`, "for programs"],
    ],
    exits: [1, 3, 4, 5, 130],
  },
  {
    name: "rag ask",
    summary: "a model answers from your files, and cites them",
    operands: [{ name: "QUESTION", repeated: true }],
    flags: [...ragSearchFlags, ...modelFlags.filter(({ name }) => !["system", "raw", "top-k"].includes(name))],
    notes: [
      "Status 1 where no passage passes the threshold: then no model is asked. With lexical vectors the threshold is at least 0.15.",
      "A small model answers badly: the bundled one only shows the way.",
    ],
    examples: [
      ['llmspell rag ask -m qwen2.5-0.5b "how hot is the oven?"', "with [1], [2] … for the passages it used"],
      ['llmspell -p rag-dev rag ask --output json "how hot is the oven?"', "text and citations, for programs"],
    ],
    exits: [1, 3, 4, 5, 130],
  },
  {
    name: "rag stats",
    summary: "what an index holds",
    flags: ragFlags,
    examples: [["llmspell rag stats", "documents, passages, what makes the vectors"]],
    exits: [1, 3],
  },
  {
    name: "rag remove",
    aliases: ["rag rm"],
    summary: "take documents out of an index; files stay",
    operands: [{ name: "DOCUMENT", optional: true, repeated: true }],
    flags: [...ragFlags, flag("--all", "every document"), flag("-y, --yes", "do not ask")],
    notes: ["DOCUMENT is the path of a file or folder, or an id as rag export shows it."],
    examples: [["llmspell rag remove ~/notes/old", "a folder"]],
    exits: [1, 3, 130],
  },
  {
    name: "rag export",
    summary: "all passages of an index, one JSON object a line",
    flags: ragFlags,
    examples: [["llmspell rag export > passages.jsonl", "id, source, heading, content, start, end, metadata"]],
    exits: [1, 3],
  },
  {
    name: "session list",
    summary: "sessions that scripts keep",
    flags: [
      flag("--status S", "active, suspended, completed or expired", { choices: sessionStatuses }),
      flag("--tag TEXT", "only those with this tag", { repeated: true }),
      flag("--limit N", "only the N used last", { problem: integerProblem(1, 1_000_000) }),
    ],
    examples: [
      ["llmspell session list --status active", "the one used last comes first"],
      ["llmspell session list --output json | jq -r '.sessions[].id'", "for programs"],
    ],
    exits: [1, 3],
  },
  {
    name: "session show",
    summary: "one session, its artifacts and recorded calls",
    operands: [{ name: "ID" }],
    notes: [idNote],
    examples: [["llmspell session show 3f2a", "the session whose id begins so"]],
    exits: [1, 3],
  },
  {
    name: "session replay",
    summary: "make the recorded calls of a session again",
    operands: [{ name: "ID" }],
    flags: [
      flag("--mode M", "exact, modified, simulate (stored answers) or debug (stops after each) [exact]", { choices: replayModes }),
      flag("--change EDIT", "of --mode modified: CALL=INPUT, another input, JSON or text, for a call by its number", { repeated: true }),
      flag("--stop-on-error", "end with the first call that fails or differs"),
      flag("--no-compare", "do not compare with the stored answers"),
      flag("--timeout SECS", "of all calls together [300]", { problem: integerProblem(1, 31_536_000) }),
    ],
    notes: [
      idNote,
      "Agents are built as they were and asked with the same seeds; their tools answer as they did. Status 1 where an answer differs.",
    ],
    examples: [
      ["llmspell session replay 3f2a", "whether the same comes out"],
      ['llmspell session replay 3f2a --mode modified --change "1=Twice upon a time"', "with another first input"],
    ],
    exits: [1, 3, 4, 5, 130],
  },
  {
    name: "session remove",
    aliases: ["session rm"],
    summary: "delete sessions with their artifacts and calls",
    operands: [{ name: "ID", repeated: true }],
    flags: [flag("-y, --yes", "do not ask")],
    notes: [idNote],
    examples: [["llmspell session remove 3f2a", "asks first"]],
    exits: [1, 3, 130],
  },
  {
    name: "state get",
    summary: "a value that scripts keep",
    operands: [{ name: "SCOPE" }, { name: "KEY" }],
    examples: [["llmspell state get notes today", "as JSON"]],
    exits: [1, 3],
  },
  {
    name: "state set",
    summary: "keep a value for scripts",
    operands: [{ name: "SCOPE" }, { name: "KEY" }, { name: "VALUE" }],
    notes: ["VALUE is JSON; what is no JSON is text."],
    examples: [["llmspell state set notes today '{\"rain\": true}'", 'State.load("notes", "today") gives it']],
    exits: [1, 3],
  },
  {
    name: "state list",
    summary: "scopes, or the keys of one",
    operands: [{ name: "SCOPE", optional: true }],
    examples: [["llmspell state list notes", "one key a line"]],
    exits: [1, 3],
  },
  {
    name: "state clear",
    summary: "forget a scope",
    operands: [{ name: "SCOPE" }],
    flags: [flag("-y, --yes", "do not ask")],
    examples: [["llmspell state clear notes", "asks first"]],
    exits: [1, 3, 130],
  },
  {
    name: "config show",
    summary: "the effective configuration",
    operands: [{ name: "SECTION", optional: true }],
    flags: [
      flag("--format FORM", "toml or json [toml]", { choices: ["toml", "json"] }),
      flag("--origin", "where each value came from"),
      flag("--all", "also what takes effect in later releases; JSON and a SECTION always have it"),
    ],
    notes: ["Standard output is a configuration that can be saved and loaded again. Secrets are masked."],
    examples: [
      ["llmspell -p candle config show providers --origin", "one section, with the origin of each value"],
      ["llmspell -p minimal config show --format json | jq .default_engine", "one value, for programs"],
    ],
  },
  {
    name: "config set",
    summary: "change one key of the file in use; comments stay",
    operands: [{ name: "KEY" }, { name: "VALUE" }],
    flags: [fileFlag],
    notes: ["Texts need no quotes beyond the shell's; items of a list are divided by commas."],
    examples: [
      ["llmspell config set default_model qwen2.5-0.5b", "the model of generate and chat"],
      ["llmspell config set providers.candle.context_size 8192", "tokens that a model keeps"],
    ],
    exits: [3],
  },
  {
    name: "config get",
    summary: "one value",
    operands: [{ name: "KEY" }],
    examples: [["llmspell config get default_model", "nothing where it is not set"]],
  },
  {
    name: "config unset",
    summary: "remove one key of the file in use",
    operands: [{ name: "KEY" }],
    flags: [fileFlag],
    examples: [["llmspell config unset default_model", "the default again"]],
    exits: [3],
  },
  {
    name: "config list-profiles",
    summary: "the built-in profiles",
    flags: [flag("-d, --detailed", "also uses and features")],
    examples: [["llmspell config list-profiles -d", "profiles with uses and features"]],
  },
  {
    name: "config validate",
    summary: "check a file, or the effective configuration",
    flags: [flag("-f, --file FILE", "check this file alone, without the environment", { problem: emptyProblem })],
    examples: [
      ["llmspell config validate", "the effective configuration"],
      ["llmspell config validate --file my.toml", "a file"],
    ],
  },
  {
    name: "config init",
    summary: "write a new configuration file",
    flags: [
      flag("--file FILE", "its path [llmspell.toml]", { problem: emptyProblem }),
      flag("--from PROFILE", "start with the keys of this profile"),
      flag("-f, --force", "replace an existing file"),
    ],
    examples: [
      ["llmspell config init", "a small llmspell.toml"],
      ["llmspell config init --from rag-prod --file my.toml", "every key of a profile, each explained"],
    ],
    exits: [3],
  },
  {
    name: "config path",
    summary: "the file in use, and the places searched",
    examples: [["llmspell config path", "also the home and the folder of the models"]],
  },
  {
    name: "doctor",
    summary: "check runtimes, devices, models and folders",
    flags: [
      flag("--device D", "fail with status 4 unless this device can be used", { choices: deviceChoices }),
      flag("--online", "also check servers on the network", { later: "checks of servers" }),
    ],
    examples: [
      ["llmspell doctor", "one line for each check; runs the bundled models on each device"],
      ["llmspell doctor --device webgpu", "whether this device computes correctly"],
      ["llmspell doctor --output json | jq .device", "the device that would be used"],
    ],
    exits: [1, 4, 130],
  },
  {
    name: "version",
    summary: "the version; -v for engines and model families too",
    flags: [flag("-v, --verbose", "also Node, platform, engines, model families")],
    examples: [["llmspell version -v", "what to put into a report"]],
  },
  {
    name: "completion",
    summary: "completion script for a shell",
    operands: [{ name: "SHELL", choices: [...shells, "names"] }],
    notes: ["With names instead of a shell: the models that can be named, one a line, without the network."],
    examples: [
      ['eval "$(llmspell completion bash)"', "bash: put it into ~/.bashrc"],
      ['eval "$(llmspell completion zsh)"', "zsh: into ~/.zshrc, after compinit"],
      ["llmspell completion fish > ~/.config/fish/completions/llmspell.fish", "fish"],
      ["llmspell completion powershell | Out-String | Invoke-Expression", "PowerShell: into $PROFILE"],
    ],
  },
  {
    name: "help",
    summary: "help on a command",
    operands: [{ name: "COMMAND", optional: true }],
    examples: [["llmspell help generate", "flags, examples and exit codes"]],
  },
];

export const commands: readonly Command[] = table.map((entry) => ({ operands: [], flags: [], exits: [], ...entry }));

/** Names that later releases answer; nothing else may use them. */
export const laterCommands: readonly string[] = [...["replay"]];

/** First words of commands with two. */
export const commandGroups: ReadonlySet<string> = new Set(["model", "config", "rag", "session", "state", "tool"]);

/** Every numeric limit of the library, each with its reason. Numbers only; messages are with the checks. */

export const limits = {
  // --- GGUF ---
  /** Metadata entries of one file. Real files have tens. */
  ggufEntries: 100_000,
  /** Metadata entries of a file that is loaded: llama.cpp compares each with all others, 70,000 of them for more than 40 s. */
  ggufModelEntries: 10_000,
  /** Tensors of one file. The largest known shard has about 71,000; checking 100,000 takes some 0.4 s. */
  ggufTensors: 100_000,
  /** Bytes of one string value: what model servers accept; a long chat template has some 20,000. */
  ggufStringBytes: 16_777_216,
  /** Bytes of a metadata key, at least 1: the format says 2^16 − 1. */
  ggufKeyBytes: 65_535,
  /** Bytes of a tensor name, at least 1: engines keep names in a fixed buffer of 64 with its final NUL. */
  ggufTensorNameBytes: 63,
  /** Elements of one array: the largest vocabularies in use fit many times. */
  ggufArrayElements: 4_194_304,
  /** Tokens of a vocabulary: four times the largest of a published text model. */
  ggufVocabulary: 1_048_576,
  /** Control tokens, each of which is looked for in a prompt. Published models have some hundreds, those with codes for sounds some ten thousands. */
  ggufControlTokens: 262_144,
  /** Dimensions of a tensor, as the engines have them. */
  ggufDimensions: 4,
  /** Elements of one tensor. Engines count up to 2^63 − 1; a file holds at most 2^53 − 1 bytes here, so no tensor has more. */
  ggufTensorElements: 9_007_199_254_740_991,
  /** Bytes; a power of two from 1 on. Published files use 32 or 64. */
  ggufAlignment: 1_048_576,
  /** Bytes before the tensor data. A vocabulary of 32 MiB is real; 64 MiB of nothing but strings take 0.3 s and 90 MiB to check. */
  ggufHeaderBytes: 67_108_864,
  /** Bytes of the first read of a header; each further one doubles. Most headers of small models end within it. */
  ggufFirstReadBytes: 1_048_576,
  /** Bytes of the longest read; doubling further would hold more memory than it saves requests. */
  ggufMaxReadBytes: 16_777_216,
  /** Parts of one split model. The largest published ones have about 190. */
  ggufShards: 1024,
  /** Bytes per file for a 32-bit WebAssembly build: its load never settles where an offset passes 2^31. */
  ggufWasm32FileBytes: 1_900_000_000,
  /** Tokens a file may claim as its context: ten times the longest published (10 Mi). Engines abort on 2^32 − 1. */
  ggufContextLength: 104_857_600,
  /** Layers; the engines' own fixed maximum (LLAMA_MAX_LAYERS), beyond which they abort. */
  ggufBlocks: 512,
  /** Attention heads of one layer; published models have at most some hundreds. */
  ggufHeads: 65_536,
  /** Width of the residual stream; published models have at most 2^15. */
  ggufEmbeddingLength: 1_048_576,
  /** Width inside a feed-forward layer; published models have at most some 2^17. */
  ggufFeedForwardLength: 16_777_216,

  // --- safetensors and the JSON beside them ---
  /** Bytes of a header: the format's own limit. */
  safetensorsHeaderBytes: 100_000_000,
  /** Tensors of one file. The largest models split into far fewer per file. */
  safetensorsTensors: 200_000,
  /** Dimensions of a tensor; published ones have at most five. */
  safetensorsDimensions: 16,
  /** Bytes of model.safetensors.index.json: a line for each tensor. */
  safetensorsIndexBytes: 33_554_432,
  /** Bytes of config.json and its like. Published ones have at most some 100 KiB. */
  configBytes: 1_048_576,
  /** Keys of a TOML configuration; the schema has some 200. */
  configKeys: 10_000,
  /** Problems of one configuration that are looked for; each costs a comparison with every name. */
  configProblems: 100,
  /** Nested tables and lists of a TOML configuration; the schema has four. */
  configDepth: 64,
  /** Nested levels of JSON; JSON.parse itself would take a million. */
  jsonDepth: 64,
  /** The largest published T5 has 24 layers, 128 heads, d_model 4096, d_ff 65,536 and 32,128 pieces: each limit leaves room for ten times that. */
  t5Layers: 512,
  t5Heads: 2048,
  t5Width: 65_536,
  t5FeedForward: 1_048_576,
  t5Vocabulary: 4_194_304,
  /** 32 in every published checkpoint. */
  t5Buckets: 4096,
  /** 128 in every published checkpoint; a table of twice as many entries is made. */
  t5MaxDistance: 65_536,

  // --- Tokenizers ---
  /** Bytes of tokenizer.json; the largest published ones have some 35 MiB. */
  tokenizerBytes: 67_108_864,
  /** Tokens of a vocabulary; the largest published ones have some 260,000. */
  tokenizerEntries: 2_000_000,
  /** Characters of a pattern; published ones have at most some hundreds. */
  tokenizerPatternCharacters: 10_000,

  // --- Chat templates ---
  /** Published templates have at most some 30 Ki. */
  templateSourceCharacters: 262_144,
  /** A rendered prompt longer than this fits no context. */
  templateOutputCharacters: 4_194_304,
  /** 42 characters of template can cost 20 s; honest ones take milliseconds. */
  templateMs: 1000,

  // --- Encoder-decoder models ---
  /** Bytes of the weights of one graph for the WebAssembly build: its memory ends at 4 GiB, and repacked copies and activations need room. */
  onnxWasmWeightBytes: 3_000_000_000,
  /** Tokens of one input: what T5 was trained on. */
  seq2seqInputTokens: 512,
  /** Attention grows with the square: 4,096 tokens take 400 MB of scores in a layer of 6 heads. */
  seq2seqMostInputTokens: 4096,

  // --- Downloads ---
  /** Bytes of a list of a hub or registry; a repository of thousands of files has some MiB. */
  listingBytes: 16_777_216,
  /** Files of one repository that are looked at. */
  listingFiles: 20_000,
  /** Bytes of one file that may be announced: a tenth of the largest disks sold. */
  fileBytes: 4_398_046_511_104,
  /** Layers of a manifest of the Ollama registry; published ones have at most a dozen. */
  registryLayers: 1000,
  /** Bytes of one part of a layer that is no model: templates, licences, parameters. */
  registryTextBytes: 4_194_304,
  /** A file shorter than two of these comes in one stream; longer ones in parts of this size, several at once. */
  downloadPartBytes: 67_108_864,

  // --- Generation ---
  /** Bytes of one event of a server's stream; a token has some hundred, a long list of arguments some hundred thousand. */
  serverEventBytes: 4_194_304,
  /** Bytes of one answer with vectors: 32 of 16,384 numbers with all their digits have some ten million. */
  serverVectorBytes: 16_777_216,
  /** Characters of one answer of a server: the most tokens that can be asked for have fewer. */
  serverAnswerCharacters: 16_777_216,
  /** Characters of an answer of so many tokens: the longest token of common vocabularies has 128, and thoughts that a server does not count have room. */
  serverTokenCharacters: 256,
  serverFreeCharacters: 131_072,
  /** Calls of tools in one answer; honest ones have a handful. */
  serverToolCalls: 128,
  /** Bytes of an error's body that are read. */
  serverErrorBytes: 65_536,
  /** Calls of one model waiting behind the running one; more than this is a program in a loop. */
  waitingGenerations: 16,
  /** A reader that takes nothing for so long holds a call that waits up no longer: the rest of its answer comes at once, and is kept for it. */
  pausedReaderMs: 1000,
  /** Starts of an engine that keeps dying, within 60 s. A further one would meet the same file and the same fault. */
  restartsPerMinute: 3,
  promptCharacters: 1_000_000,

  // --- Forms of answers: JSON Schema, choices, regular expressions, GBNF ---
  /** Rules and letters of one form. Schemas in use have hundreds; so many are compiled within 100 ms, and a process or worker is handed them with each call. */
  grammarRules: 5000,
  grammarItems: 20_000,
  /** Letters of literal texts that are read to make it; those with the same beginning share it. */
  grammarLiterals: 200_000,
  /** States that a walk remembers; a text of some thousand letters has fewer. Beyond, it begins anew. */
  grammarStates: 20_000,
  /** Places where an answer may stand at once; each letter costs a look at all of them. Schemas in use have at most some tens. */
  grammarPlaces: 1024,
  /** Rules within rules of one answer; nothing nested deeper is begun. */
  grammarDepth: 256,
  /** Pairs of states that are compared to say whether one pattern is within another; a date within a date-time takes some hundred. */
  grammarPairs: 5000,
  /** Characters of GBNF of a caller's own. */
  gbnfCharacters: 262_144,
  /** Groups within groups of it. llama.cpp reads them by calling itself: its stack ends at some 300 in WebAssembly, and at some 10,000 natively the process. */
  gbnfDepth: 100,
  /** Ways through it from one place to the next letter, times the empty items on one of them. llama.cpp follows all at each letter: an answer of four tokens out of 19,000 words took 1.6 s natively and 4.1 s in WebAssembly (Intel Xeon, 2026-11-29). */
  gbnfWays: 20_000,
  /** The same of a form that was made of a schema or a pattern: 300 optional members have 909, a row of 100 `a?` 10,100, with which 20 tokens of tiny-stories took 2 s in WebAssembly (AMD EPYC, 2026-11-30). */
  formWays: 5000,
  /** Characters of a schema as JSON. */
  schemaCharacters: 1_000_000,
  /** Nested levels of a schema; `$ref` to itself counts once. */
  schemaDepth: 64,
  /** Schemas that are looked at to judge one value: the largest answer of a server has some 100,000 members. */
  schemaSteps: 500_000,
  /** Counts of a schema and of a pattern (minItems, maxLength, {n}): each repetition is a rule. */
  schemaCount: 1000,
  /** Values of an enum, branches of an anyOf. */
  schemaAlternatives: 1000,
  /** Texts to choose from, and characters of one. */
  choices: 1000,
  choiceCharacters: 1000,
  /** Characters of all choices that an engine of llama.cpp rates: some 500 tokens, each a step of the model in WebAssembly. */
  ratedCharacters: 2000,
  /** Choices that are rated in WebAssembly, one after the other: on a model of 135 M weights 480 took 71 s, 100 took 20 with other work running. */
  ratedInTurn: 100,
  /** Characters of a regular expression; published patterns have at most some hundreds. */
  regexCharacters: 2000,
  /** Groups within groups of a regular expression. */
  regexDepth: 20,

  // --- Tools and workflows ---
  /** Steps that one call of a workflow runs, those of workflows within it and further tries counted: more is a loop without an end. */
  workflowSteps: 1000,
  /** Workflows within workflows. */
  workflowDepth: 10,
  /** Iterations of a loop, unless it says otherwise. */
  workflowIterations: 1000,
  /** Characters of one input: a message of a script has no more. */
  toolInputCharacters: 4_194_304,
  /** Milliseconds of one call; a server that is asked has half of it. */
  toolMs: 60_000,
  /** Bytes of a server's answer: a page of text has some hundred thousand, and as JSON it must fit one message to a script. */
  toolAnswerBytes: 2_000_000,
  /** Tools of one server of the Model Context Protocol; large ones have some dozens. */
  serverTools: 256,
  /** Bytes of JSON and of a program for jq: its memory for arguments ends at about 600,000. */
  jqInputBytes: 300_000,

  // --- Scripts ---
  /** Bytes of a script's text; longer ones are data. */
  scriptBytes: 1_048_576,
  /** Bytes of one message between host and script: a file of a megabyte, escaped. */
  scriptMessageBytes: 4_194_304,
  /** Characters of printed text that are gathered before they are sent, and milliseconds they may wait. */
  scriptOutputPiece: 16_384,
  scriptOutputMs: 30,
  /** Host calls at once, and each second after them: a loop that only calls would never meet the limit of computing. */
  scriptCallBurst: 10_000,
  scriptCallsPerSecond: 1000,
  /** Milliseconds after its limit at which a script is ended from outside; its engine's own check comes first. */
  scriptGraceMs: 100,
  /** Milliseconds that a call has after Ctrl-C in a shell, before its script goes on without it. */
  scriptStopMs: 400,
  /** Milliseconds until an engine answers for the first time. */
  scriptStartMs: 10_000,
  /** Characters of an error's text, and of its trace. */
  scriptErrorText: 2000,
  scriptTraceText: 4000,
  /** Nested levels of data that cross. */
  scriptDepth: 32,
  /** Objects of the host (agents, builders) that one script may hold. */
  scriptObjects: 10_000,

  // --- Sessions, events ---
  /** Characters of a name, description, type or tag. */
  sessionText: 2000,
  sessionTags: 100,
  /** Characters of JSON that are kept beside a session or an artifact; larger things are artifacts. */
  sessionMetadata: 100_000,
  /** Bytes of one artifact: what a host holds twice while it is compressed. */
  artifactBytes: 50_000_000,
  /** Calls of one session that are kept for a replay. */
  sessionCalls: 10_000,
  /** Characters of one such call: a message between host and script. */
  sessionCallCharacters: 4_194_304,
  /** Subscriptions and hooks of one script. */
  eventSubscriptions: 1000,
  hooks: 1000,
  /** Characters of all events that wait to be received; beyond, the oldest of the queue that grows goes. */
  eventCharacters: 33_554_432,
  /** Parts between dots in a type of events, and characters of it. */
  eventParts: 32,
  eventTypeCharacters: 256,

  // --- Retrieval ---
  /** Milliseconds and megabytes of the reader of one PDF or DOCX; a book of a thousand pages takes seconds. */
  documentReadMs: 120_000,
  documentReadMegabytes: 1024,
} as const;

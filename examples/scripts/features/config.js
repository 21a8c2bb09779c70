// The configuration as a script sees it, without its secrets.
//   llmspell run -p candle examples/scripts/features/config.js

console.log(Config.get_default_engine(), Config.list_providers().join(", "));
console.log(Config.get_provider("candle").device, Config.is_file_access_allowed());

-- The configuration as a script sees it, without its secrets.
--   llmspell run -p candle examples/scripts/features/config.lua

print(Config.get_default_engine(), table.concat(Config.list_providers(), ", "))
print(Config.get_provider("candle").device, Config.is_file_access_allowed())

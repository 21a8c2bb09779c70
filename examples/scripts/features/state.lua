-- Values that other calls of this run find again.
--   llmspell run examples/scripts/features/state.lua

State.save("shop", "basket", { "apple", "pear" })
local basket = State.load("shop", "basket")
print(#basket, table.concat(basket, ", "))
print(table.concat(State.list_keys("shop"), ", "), State.clear("shop"))

// Values that other calls of this run find again.
//   llmspell run examples/scripts/features/state.js

State.save("shop", "basket", ["apple", "pear"]);
const basket = State.load("shop", "basket");
console.log(basket.length, basket.join(", "));
console.log(State.list_keys("shop").join(", "), State.clear("shop"));

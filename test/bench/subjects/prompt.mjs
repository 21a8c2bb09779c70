/** The text every subject gets: about 200 tokens of SmolLM2, about 230 of tiny-stories. */
export const prompt =
  "Once upon a time there was a small village near a big forest. In the village lived a girl named Anna and her brother Tom. " +
  "Every morning they went to the river to fetch water for their mother. One day they saw a little boat without any people in it. " +
  "Tom wanted to climb into the boat, but Anna said that they should first ask their mother. They ran home as fast as they could. " +
  "Their mother was baking bread and listened to the story. She put on her hat and walked with the children to the river. " +
  "The boat was still there, and in the boat they found a small wooden box with a golden key. The mother opened the box carefully. " +
  "Inside there was a letter from an old sailor who had lost his way many years ago. He wrote about islands, storms and strange birds. " +
  "The children read the letter again and again. They decided to write an answer, to put it into the box, and to send the boat back. " +
  "Then one day a big bird came to Anna and said";

/**
 * Before the prompt, one after the other, so that nothing is taken over from the answer before. With these words, greedy answers of both models go on for
 * 64 tokens and repeat no five words: guesses of repeated tokens, which ours alone makes, gain nothing. After most other words SmolLM2 repeats itself.
 */
export const beginnings = ["Three years ago: ", "Sixty years ago: "];

export const newTokens = 64;

export const conversation = [
  { role: "user", content: `${prompt}. Please tell me in a few sentences what this story is about, and who is in it.` },
  {
    role: "assistant",
    content: "The story is about Anna and Tom, who find a boat with a box and a letter of an old sailor, and who send an answer back.",
  },
  { role: "user", content: "And what did the sailor write about?" },
];

export const print = (figures) => process.stdout.write(`${JSON.stringify(figures)}\n`);

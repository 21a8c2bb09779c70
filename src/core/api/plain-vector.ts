/** @returns the numbers of a vector as people and JSON have them: 8 digits are more than 32 bits hold */
export function plainVector(vector: Float32Array): readonly number[] {
  return Array.from(vector, (value) => Number(value.toPrecision(8)));
}

/** What was found where something else was expected, for messages: text in quotes, so that "30" is not taken for 30. */
export function described(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value);
    case "object":
      return "an object";
    case "function":
      return "a function";
    default:
      return String(value);
  }
}

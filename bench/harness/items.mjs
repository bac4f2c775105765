/** What goes through iterables and over ports, by kind: item number `n`. */
export const itemOf = {
  number: (n) => n,
  nested: (n) => ({
    id: n,
    user: { name: `user ${n}`, age: n % 90 },
    tags: ["a", "b", "c"],
    at: { x: n / 3, y: n / 7, place: { lat: 1.5, lon: 2.5 } },
  }),
};

export interface Duck {
  readonly name: string;
  readonly latin: string;
  readonly centimetres: number;
  readonly feeds: "dabbles" | "dives";
  readonly note: string;
}

const rows: readonly (readonly [string, string, number, Duck["feeds"], string])[] = [
  ["Mallard", "Anas platyrhynchos", 58, "dabbles", "The one on every pond; most farm ducks come from it."],
  ["Eurasian teal", "Anas crecca", 36, "dabbles", "Small and quick, rises from the water almost upright."],
  ["Northern pintail", "Anas acuta", 60, "dabbles", "Long neck, longer tail, at ease in the air."],
  ["Gadwall", "Mareca strepera", 51, "dabbles", "Grey from afar, finely drawn from near."],
  ["Eurasian wigeon", "Mareca penelope", 48, "dabbles", "Grazes on meadows, and whistles."],
  ["Northern shoveler", "Spatula clypeata", 49, "dabbles", "Sifts the surface with a bill like a spoon."],
  ["Garganey", "Spatula querquedula", 39, "dabbles", "Leaves for Africa when summer ends."],
  ["Tufted duck", "Aythya fuligula", 43, "dives", "Black and white, with a crest at the back of the head."],
  ["Common pochard", "Aythya ferina", 46, "dives", "Chestnut head, sleeps through much of the day."],
  ["Common eider", "Somateria mollissima", 61, "dives", "Lines its nest with the warmest down there is."],
  ["Common goldeneye", "Bucephala clangula", 46, "dives", "Its wings sing in flight; breeds in holes of trees."],
  ["Long-tailed duck", "Clangula hyemalis", 48, "dives", "Goes down sixty metres and comes up again."],
];

const ducks: readonly Duck[] = rows.map(([name, latin, centimetres, feeds, note]) => ({
  name,
  latin,
  centimetres,
  feeds,
  note,
}));

/** The ducks in which each word of the search occurs somewhere. */
export function findDucks(search: string): readonly Duck[] {
  const words = search.toLowerCase().split(/\s+/);
  return ducks.filter((duck) => {
    const text = Object.values(duck).join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

import { currentThread, task } from "@duck-ts/server";
import type { VNode } from "preact";
import { renderToString } from "preact-render-to-string";
import type { Duck } from "./ducks.ts";

/** A task: the components become text in the thread of the loop that is given it. */
export const renderGuide = task(function renderGuide(search: string, ducks: readonly Duck[]): string {
  return renderToString(<Guide search={search} ducks={ducks} thread={currentThread().name} />);
});

interface GuideProps {
  readonly search: string;
  readonly ducks: readonly Duck[];
  readonly thread: string;
}

function Guide({ search, ducks, thread }: GuideProps): VNode {
  return (
    <div class="stack">
      <form class="row">
        <input class="search" type="search" name="q" value={search} placeholder="dives" aria-label="Search the guide" />
        <button type="submit">Search</button>
      </form>
      <p class="made">
        {ducks.length || "No"} {ducks.length === 1 ? "duck" : "ducks"}, rendered by the loop <code>{thread}</code>
      </p>
      <div class="grid">
        {ducks.map((duck) => (
          <DuckCard key={duck.latin} {...duck} />
        ))}
      </div>
    </div>
  );
}

function DuckCard({ name, latin, centimetres, feeds, note }: Duck): VNode {
  return (
    <article class="card">
      <h2>{name}</h2>
      <p>
        <i>{latin}</i>, {centimetres} cm, {feeds}
      </p>
      <p>{note}</p>
    </article>
  );
}

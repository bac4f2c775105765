import { ThreadWorker } from "poolifier";
import { noop } from "./functions.mjs";

export default new ThreadWorker(noop);

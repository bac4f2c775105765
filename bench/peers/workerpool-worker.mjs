import workerpool from "workerpool";
import { noop } from "./functions.mjs";

workerpool.worker({ noop });

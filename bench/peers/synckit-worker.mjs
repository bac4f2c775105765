import { runAsWorker } from "synckit";

runAsWorker((value) => value);

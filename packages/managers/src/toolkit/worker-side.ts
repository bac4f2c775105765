/** What every worker must know before its first task: managers and channels in arguments, and the body of iterables. */
import "../passed-manager.ts";
import "./from-thread-channel.ts";
import "./stream/produce.ts";

/** What every worker must know of the toolkit before its first task: channels in arguments, and the body of iterables. */
import "./from-thread-channel.ts";
import "./stream/produce.ts";

/**
 * Imported into the demo's agent before the agent itself: ends it when the demo is gone, however that came about, so that a
 * killed demo leaves no agent behind. The agent knows nothing of it.
 */
process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
process.channel?.unref();

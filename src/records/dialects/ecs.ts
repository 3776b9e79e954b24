import type { Dialect } from "./dialect.ts";
import { LEVEL_NAMES } from "./generic.ts";

/** ecs-logging: the names are ECS's already, dotted or nested, and nothing else is renamed. */
export const ecs: Dialect = {
  name: "ecs",
  when: [["ecs.version:text"]],
  keys: {
    time: ["@timestamp"],
    level: ["log.level"],
    message: ["message"],
    logger: ["log.logger"],
    thread: ["process.thread.name"],
    pid: ["process.pid"],
    host: ["host.name"],
    originFile: ["log.origin.file.name"],
    originLine: ["log.origin.file.line"],
    originFunction: ["log.origin.function"],
    errorType: ["error.type"],
    errorMessage: ["error.message"],
    errorStack: ["error.stack_trace"],
    traceId: ["trace.id"],
    spanId: ["span.id"],
    transactionId: ["transaction.id"],
    serviceName: ["service.name"],
    serviceVersion: ["service.version"],
    serviceEnvironment: ["service.environment"],
    ecsVersion: ["ecs.version"],
  },
  levels: LEVEL_NAMES,
  idContainers: ["labels"],
};

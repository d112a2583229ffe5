export * from "./client.js";
export * from "./errors.js";
export type * from "./results.js";
export type { Retries, Retry } from "./calls.js";

import type { Config } from "./schema.ts";

/**
 * The configuration in force, behind one reference that a reload replaces whole. Whoever handles a request
 * calls `get` once and keeps what it got to the end.
 */
export class CurrentConfig {
  #config: Config;
  #version: number;

  constructor(config: Config, version = 1) {
    this.#config = config;
    this.#version = version;
  }

  get(): Config {
    return this.#config;
  }

  /** Counts the configurations this process has run on, from 1. */
  get version(): number {
    return this.#version;
  }

  swap(config: Config): void {
    this.#config = config;
    this.#version += 1;
  }
}

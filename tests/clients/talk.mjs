// What every client program here says to the test that runs it: JSON lines. {"authorize": URL} when a user must log
// in, after which the URL that the browser was redirected to is read; {"tools"}, {"result"}, {"refreshed", "rotated"}
// and {"done"}.

import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

/** The next line that the test says. */
export const heard = async () => (await lines.next()).value;

/** Has the user of the test log in; where the browser was sent in the end. */
export async function authorized(url) {
  say({ authorize: String(url) });
  return new URL((await heard()).trim());
}

/** The same for a client that waits for its browser on loopback. */
export async function visit(url) {
  const answer = await fetch(await authorized(url), { redirect: "manual" });
  if (answer.status >= 400) throw new Error(`the client answered its browser with ${answer.status}`);
}

/** A token that no server accepts, which only its signature shows. */
export const spoilt = (token) => `${token.slice(0, -8)}AAAAAAAA`;

/** A home of its own for a program that keeps things, and no desktop where it could open a browser. */
export function environment() {
  const home = mkdtempSync(join(tmpdir(), "attache-client-"));
  return { PATH: process.env.PATH, HOME: home, BROWSER: "true" };
}

/**
 * Runs a program that says one JSON value, watching its standard error for a URL to log in at; the value. That is
 * the end of it, too: idle connections would keep it for seconds more.
 */
export function run(program, args, env) {
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let [output, errors, visiting] = ["", "", undefined];
  child.stderr.on("data", (chunk) => {
    errors += chunk;
    const url = loginUrl(errors);
    if (url) visiting ??= visit(url).catch((error) => child.kill() && (errors += error));
  });
  return new Promise((resolve, reject) => {
    child.stdout.on("data", (chunk) => {
      output += chunk;
      if (!output.endsWith("\n")) return;
      try {
        resolve(JSON.parse(output));
        child.kill();
      } catch {
        // A part of it.
      }
    });
    child.on("error", reject);
    child.on("close", (code) => reject(new Error(`${args.join(" ")} ended with ${code}\n${output}\n${errors}`)));
  });
}

/** The whole of an authorization URL in what a program says, once the line has ended. */
export const loginUrl = (text) => text.match(/(https?:\/\/\S+\/oauth\/authorize\?\S+)\s/)?.[1];

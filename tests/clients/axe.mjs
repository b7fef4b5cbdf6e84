// axe-core on every page that people see, in Chromium, in the light and in the dark.
//
// usage: node axe.mjs AUTHORIZE_URL EMAIL PASSWORD FAULTY_URL
// Writes one JSON line: {"pages": {NAME: [violations]}}.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { launch, logIn } from "./chromium.mjs";
import { say } from "./talk.mjs";

const [authorizeUrl, email, password, faultyUrl] = process.argv.slice(2);
const axe = readFileSync(fileURLToPath(import.meta.resolve("axe-core")), "utf8");
const asked = (changes) => {
  const url = new URL(authorizeUrl);
  for (const [name, value] of Object.entries(changes)) url.searchParams.set(name, value);
  return url.href;
};

// How to get to each page; the one after it starts where it ended.
const pages = {
  home: (page) => page.goto(new URL("/", authorizeUrl).href),
  "an error": (page) => page.goto(asked({ client_id: "unknown" })),
  "an error of a web site": (page) => page.goto(faultyUrl),
  login: (page) => page.goto(authorizeUrl),
  "a failed login": async (page) => {
    await page.fill("input[name=email]", email);
    await page.fill("input[name=password]", "wrong");
    await page.click("#sign-in");
    await page.waitForSelector("#notice");
  },
  consent: (page) => logIn(page, email, password),
  account: (page) => page.goto(new URL("/account", authorizeUrl).href),
  "a password that is not changed": async (page) => {
    await page.fill("#current", "not the password");
    await page.fill("#new", password);
    await page.fill("#again", password);
    await page.click("#change-password");
    await page.waitForSelector("#problem");
  },
  "the end of a session": async (page) => {
    await page.click("#sign-out");
    await page.waitForSelector("#signed-out");
  },
};

const browser = await launch();
const found = {};
try {
  for (const colorScheme of ["light", "dark"]) {
    const page = await (await browser.newContext({ colorScheme })).newPage();
    for (const [name, reach] of Object.entries(pages)) {
      await reach(page);
      await page.evaluate(axe);
      const { violations, passes } = await page.evaluate("axe.run()");
      if (passes.length < 5) throw new Error(`axe looked at nothing of ${name}`);
      const said = violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map((node) => node.html) }));
      found[`${name}, ${colorScheme}`] = said;
    }
  }
} finally {
  await browser.close();
}
say({ pages: found });
process.exit(0);

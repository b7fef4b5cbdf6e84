// A person in headless Chromium, without JavaScript: lets a client in, then looks after their account.
//
// usage: node account.mjs AUTHORIZE_URL EMAIL PASSWORD NEW_PASSWORD SCREENSHOT_FOLDER
// Writes JSON lines: {"redirect": URL} when the client is let in; waits for a line; then {"ended": {"listed", "told", "token": TEXT}}
// when its access has ended, and then a personal access token, and {"seen": {"refused", "changed", "out", "again": TEXT, "violations": [...]}}.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { landing, launch, violationsOf } from "./chromium.mjs";
import { heard, say } from "./talk.mjs";

const [authorizeUrl, email, password, newPassword, folder] = process.argv.slice(2);
const redirectUri = new URL(authorizeUrl).searchParams.get("redirect_uri");
const account = new URL("/account", authorizeUrl).href;
mkdirSync(folder, { recursive: true });

const browser = await launch();
try {
  const context = await browser.newContext({ viewport: { width: 1000, height: 800 }, javaScriptEnabled: false });
  let page = await context.newPage();
  const violations = violationsOf(context);
  const shoot = (name) => page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  const read = () => page.innerText("body");
  const logIn = async (as) => {
    await page.fill("#email", email);
    await page.fill("#password", as);
    await page.click("#sign-in");
  };
  const change = async (current) => {
    await page.fill("#current", current);
    await page.fill("#new", newPassword);
    await page.fill("#again", newPassword);
    await page.click("#change-password");
  };
  const { arrived } = await landing(page, redirectUri);

  await page.goto(authorizeUrl);
  await logIn(password);
  await page.click("#allow", { noWaitAfter: true });
  say({ redirect: await arrived });
  await heard();

  // Nobody listens where the client would be: the browser may still be on its way to a page that says so.
  await page.close();
  page = await context.newPage();
  await page.goto(account);
  const listed = await read();
  await shoot("account");
  await page.click("summary");
  await page.setViewportSize({ width: 380, height: 800 });
  await page.emulateMedia({ colorScheme: "dark" });
  await shoot("account-phone-dark");
  await page.setViewportSize({ width: 1000, height: 800 });
  await shoot("account-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.click("li:has-text('Plain HTTP') button");
  await page.waitForSelector("#done");
  await shoot("ended");
  const told = await read();
  await page.click("li:has-text('nightly') button");
  await page.waitForSelector("#done:has-text('nightly')");
  await shoot("token-ended");
  say({ ended: { listed, told, token: await read() } });

  await change("not the password");
  await page.waitForSelector("#problem");
  const refused = await read();
  await shoot("refused");
  await change(password);
  await page.waitForSelector("#done");
  const changed = await read();
  await shoot("changed");
  await page.click("#sign-out");
  await page.waitForSelector("#signed-out");
  const out = await read();
  await shoot("signed-out");
  await page.click("#again");
  await page.waitForSelector("#sign-in");
  await shoot("login");
  await logIn(newPassword);
  await page.waitForSelector("#account");
  say({ seen: { refused, changed, out, again: await read(), violations } });
} finally {
  await browser.close();
}
process.exit(0);

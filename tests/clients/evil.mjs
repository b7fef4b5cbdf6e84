// A person in Chromium, logged in and asked for consent, who also has a page of an attacker open.
//
// usage: node evil.mjs AUTHORIZE_URL EMAIL PASSWORD
// Writes one JSON line: {"attacks": {NAME: what came of it}}.

import { createServer } from "node:http";
import { launch, logIn } from "./chromium.mjs";
import { say } from "./talk.mjs";

const [authorizeUrl, email, password] = process.argv.slice(2);
const gateway = new URL(authorizeUrl).origin;
const attacks = {};

// Another site than the gateway's, which is at localhost.
const evil = createServer((_, response) => response.setHeader("content-type", "text/html").end("<body><button>evil"));
await new Promise((resolve) => evil.listen(0, "127.0.0.1", resolve));
const evilOrigin = `http://127.0.0.1:${evil.address().port}`;

const browser = await launch();

/** The hidden fields of the form on a page. */
const hidden = (page) =>
  page.$$eval("form input[type=hidden]", (all) => Object.fromEntries(all.map((one) => [one.name, one.value])));

/** What the gateway answers to a form that a page of the attacker sends for the person. */
async function forged(person, path, fields) {
  const page = await person.newPage();
  await page.goto(evilOrigin);
  const answer = page.waitForResponse((response) => response.url() === gateway + path);
  await page.evaluate(
    ([action, fields]) => {
      const form = Object.assign(document.createElement("form"), { method: "post", action });
      for (const [name, value] of Object.entries(fields)) {
        form.append(Object.assign(document.createElement("input"), { name, value }));
      }
      document.body.append(form);
      form.submit();
    },
    [gateway + path, fields],
  );
  const response = await answer;
  return { status: response.status(), location: (await response.allHeaders()).location ?? null };
}

try {
  const person = await browser.newContext();
  const page = await person.newPage();
  await page.goto(authorizeUrl);
  const loginPage = page.url();
  await logIn(page, email, password);
  const consentPage = page.url();
  const fields = await hidden(page);

  // Somebody with a browser of his own, and what is in his forms.
  const attacker = await (await browser.newContext()).newPage();
  await attacker.goto(authorizeUrl);
  const his = await hidden(attacker);

  const visitor = await person.newPage();
  await visitor.goto(evilOrigin);
  attacks.clickjacking = [];
  // The last one shows that frames are seen at all.
  for (const src of [consentPage, loginPage, authorizeUrl, evilOrigin]) {
    await visitor.evaluate((src) => {
      const frame = Object.assign(document.createElement("iframe"), { src });
      const loaded = new Promise((resolve) => (frame.onload = resolve));
      document.body.replaceChildren(frame);
      return loaded;
    }, src);
    const [, frame] = visitor.frames();
    attacks.clickjacking.push({ src, buttons: await frame.locator("button").count() });
  }
  attacks.reading = await visitor.evaluate(
    (url) => fetch(url, { credentials: "include" }).then((answer) => answer.text(), () => "nothing"),
    consentPage,
  );

  const consent = { ...fields, decision: "allow" };
  attacks.consent_with_everything_stolen = await forged(person, "/oauth/consent", consent);
  attacks.consent_with_his_token = await forged(person, "/oauth/consent", { ...consent, csrf: his.csrf });
  attacks.login_as_the_attacker = await forged(person, "/oauth/login", { ...his, email, password });

  // A cookie that the attacker knows, put into a browser before its person logs in.
  const before = await attacker.context().cookies();
  const victim = await browser.newContext();
  await victim.addCookies(before);
  const tab = await victim.newPage();
  await tab.goto(authorizeUrl);
  await logIn(tab, email, password);
  await attacker.goto(authorizeUrl);
  attacks.fixation = {
    planted: before.length,
    must_log_in: (await attacker.locator("input[name=password]").count()) === 1,
  };

  // After all of that the person's own click does what it says.
  const redirectUri = new URL(authorizeUrl).searchParams.get("redirect_uri");
  const arrived = page.waitForRequest((request) => request.url().startsWith(redirectUri));
  await page.click("button[value=allow]", { noWaitAfter: true });
  attacks.own_click = (await arrived).url();
} finally {
  await browser.close();
}
say({ attacks });
process.exit(0);

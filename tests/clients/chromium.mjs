// Headless Chromium for the programs here: Debian's, and a person who logs in and allows.

import { chromium } from "playwright-core";

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });

/** Fills in the login page. */
export async function logIn(page, email, password) {
  await page.fill("input[name=email]", email);
  await page.fill("input[name=password]", password);
  await Promise.all([page.waitForURL(/\/oauth\/consent/), page.click("#sign-in")]);
}

/** Notes what the content security policy keeps `page`, or every page of a context, from. */
export function violationsOf(page) {
  const violations = [];
  page.on("console", (message) => {
    if (/Content Security Policy|refused/i.test(message.text())) violations.push(message.text());
  });
  return violations;
}

/** The URL with which the browser comes to `redirectUri`, where nobody needs to listen. */
export async function landing(page, redirectUri) {
  // A redirect is not intercepted by `route`; the request event sees each hop.
  const arrived = new Promise((resolve) => {
    page.on("request", (request) => {
      if (request.url().startsWith(redirectUri)) resolve(request.url());
    });
  });
  if (/^https?:/.test(redirectUri)) {
    await page.route(
      (to) => to.href.startsWith(redirectUri),
      (route) => route.fulfill({ status: 200, contentType: "text/html", body: "<p>Back at the client.</p>" }),
    );
  }
  return { arrived };
}

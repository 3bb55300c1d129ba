// Checks the auditors' pages in Chromium, with client certificates. Run by tests/e2e/browser.rs, which starts a gateway and writes the facts.
//
//   node check.mjs facts.json
//
// SAMBAND_BROWSER_MODULES: folder with node_modules of package.json (default: target/browser). SAMBAND_CHROMIUM: the browser (default: found on PATH).
// SAMBAND_SCREENSHOTS=DIR: takes the pictures of docs/ too. SAMBAND_LATENCY=N: prints p50 and p99 of N fetches of each page, and checks nothing.
import { execFileSync } from "node:child_process";
import { readFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = resolve(process.env.SAMBAND_BROWSER_MODULES ?? join(here, "../../target/browser"));
const require = createRequire(join(modules, "package.json"));
const { chromium } = require("playwright-core");
const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const facts = JSON.parse(readFileSync(process.argv[2], "utf8"));
const executablePath = process.env.SAMBAND_CHROMIUM ?? execFileSync("sh", ["-c", "command -v chromium || command -v chromium-browser"]).toString().trim();

const QUESTIONS = ["results-elsewhere", "forbidden", "overdue", "changed", "erased", "read"];
let checks = 0;
function check(condition, what) {
  checks += 1;
  if (!condition) throw new Error(`not so: ${what}`);
}
function same(found, wanted, what) {
  check(JSON.stringify(found) === JSON.stringify(wanted), `${what}: found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`);
}

const profile = mkdtempSync(join(tmpdir(), "samband-browser-"));
const browser = await chromium.launch({
  executablePath,
  headless: true,
  chromiumSandbox: false,
  env: { ...process.env, HOME: profile },
  args: ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

// A context that shows this certificate; everything that goes elsewhere or to the console is a finding.
async function contextOf(identity, options = {}) {
  const { cert: certPath, key: keyPath } = identity;
  const context = await browser.newContext({
    clientCertificates: [{ origin: facts.base, certPath, keyPath }],
    ignoreHTTPSErrors: true,
    viewport: { width: 1280, height: 900 },
    locale: "nb-NO",
    ...options,
  });
  const page = await context.newPage();
  page.findings = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(`${facts.base}/`)) page.findings.push(`request to ${request.url()}`);
  });
  page.on("console", (message) => {
    if (!/Failed to load resource: the server responded with a status of (400|403|404)/.test(message.text())) page.findings.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => page.findings.push(`page error: ${error}`));
  return { context, page };
}

async function open(page, path, status = 200) {
  const response = await page.goto(facts.base + path, { waitUntil: "load" });
  check(response.status() === status, `${path} answers ${response.status()}, not ${status}`);
  const headers = response.headers();
  check(headers["content-security-policy"].startsWith("default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self' data:;"), `${path} has the policy`);
  same([headers["cache-control"], headers["x-content-type-options"], headers["referrer-policy"], headers["set-cookie"]], ["no-store", "nosniff", "no-referrer", undefined], `headers of ${path}`);
  return response;
}

async function accessible(page, what) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }));
  const found = violations.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.target.join(" ")).join(", ")}`);
  same(found, [], `axe-core on ${what}`);
  same(await page.locator("h1").count(), 1, `headings of ${what}`);
}

// WCAG 1.4.10: no page needs a sideways scroll at 320 CSS px. What is wider, a table of data, scrolls within a box of its own that the keyboard reaches
// and that has a name. Also with everything unfolded.
async function reflows(page, what) {
  await page.evaluate(() => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
  for (const width of [320, 390, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    const found = await page.evaluate(() => {
      const root = document.documentElement;
      const boxes = [...document.querySelectorAll("main *")].filter((box) => box.scrollWidth > box.clientWidth + 1 && ["auto", "scroll"].includes(getComputedStyle(box).overflowX));
      const named = (box) => box.hasAttribute("aria-label") || (box.getAttribute("aria-labelledby") ?? "").split(" ").some((id) => document.getElementById(id)?.textContent.trim());
      // What sticks out of the page is not to be cut off either.
      const inBox = (node) => boxes.some((box) => box.contains(node));
      const out = [...document.querySelectorAll("header *, main *, footer *")].filter((node) => !inBox(node) && !node.closest("svg, .ds-sr-only") && node.getBoundingClientRect().right > root.clientWidth + 1);
      return {
        wide: root.scrollWidth - root.clientWidth,
        unreachable: boxes.filter((box) => box.tabIndex !== 0 || !named(box)).map((box) => box.outerHTML.slice(0, 80)),
        // Letters of a picture are to be read too: it scrolls in its box rather than shrink.
        small: [...document.querySelectorAll("main svg text")].filter((text) => text.getBoundingClientRect().height < 9).map((text) => text.textContent),
        out: out.slice(0, 4).map((node) => `${node.tagName}.${node.className} ${node.textContent.trim().slice(0, 30)}`),
      };
    });
    same(found, { wide: 0, unreachable: [], small: [], out: [] }, `${what} at ${width} px`);
  }
}

const heading = (page) => page.locator("h1").innerText();
const figure = async (locator) => Number((await locator.innerText()).replace(/[^0-9]/g, ""));
const indices = (page) => page.locator("tbody tr td:first-child a").allInnerTexts().then((texts) => texts.map(Number));

async function pagesOf(lang) {
  const pages = ["", "/search", "/search?participant=politi-oslo&outcome=refused", "/counts", "/counts?from=2026-01-01", "/counts?from=2099-01-01", "/reviews", "/log", "/help", "/entry/0", `/case/${facts.case_ref}`];
  return [...pages, ...QUESTIONS.map((name) => `/question/${name}`)].map((page) => `/${lang}${page}`);
}

async function everyPage() {
  for (const [lang, locale] of [["nb", "nb-NO"], ["en", "en-GB"]]) {
    const { context, page } = await contextOf(facts.auditor, { locale });
    await open(page, "/");
    check(page.url() === `${facts.base}/${lang}`, `the root leads to ${lang}`);
    for (const path of await pagesOf(lang)) {
      await open(page, path);
      same(await page.locator("html").getAttribute("lang"), lang, `lang of ${path}`);
      await accessible(page, path);
      // The other language shows the same page.
      const other = await page.locator("a.language").getAttribute("href");
      const relative = (target) => target.split("?")[0].slice(3);
      same(relative(other), relative(path), `the other language of ${path}`);
    }
    for (const [path, status] of [[`/${lang}/nowhere`, 404], [`/${lang}/search?from=yesterday&case_ref=X&participant=Ola%20Nordmann`, 400], [`/${lang}/entry/99999999`, 404]]) {
      await open(page, path, status);
      await accessible(page, path);
    }
    await page.setViewportSize({ width: 320, height: 800 });
    for (const path of [`/${lang}`, `/${lang}/search`, `/${lang}/question/forbidden`, `/${lang}/counts`, `/${lang}/log`]) {
      await open(page, path);
      await accessible(page, `${path} on a telephone`);
    }
    same(page.findings, [], `what ${lang} pages did besides`);
    await context.close();
  }
}

async function narrow() {
  for (const lang of ["nb", "en"]) {
    const { context, page } = await contextOf(facts.auditor);
    for (const path of await pagesOf(lang)) {
      await open(page, path);
      await reflows(page, path);
    }
    for (const [path, status] of [[`/${lang}/nowhere`, 404], [`/${lang}/search?from=yesterday&case_ref=X&participant=Ola%20Nordmann`, 400], [`/${lang}/entry/99999999`, 404]]) {
      await open(page, path, status);
      await reflows(page, path);
    }
    await context.close();
    const stranger = await contextOf(facts.refused.at(-1).identity);
    await open(stranger.page, `/${lang}`, 403);
    await reflows(stranger.page, `the page of /${lang} for a stranger`);
    await stranger.context.close();
  }
}

// Entries that cannot be read: every page kind holds its form, and an alarm stands where its answers rest on them and nowhere else.
async function damage() {
  const { first, last, from, to } = facts.damaged;
  const where = `${first}–${last}`;
  for (const lang of ["nb", "en"]) {
    const { context, page } = await contextOf(facts.auditor);
    await open(page, `/${lang}?anew=1`);
    for (const path of [...(await pagesOf(lang)), `/${lang}/entry/${first}`, `/${lang}/search?before=${last + 20}`, `/${lang}?from=${from}&to=${to}`, `/${lang}/question/forbidden?from=${from}&to=${to}`]) {
      await open(page, path);
      await accessible(page, `${path}, damaged`);
      await reflows(page, `${path}, damaged`);
    }
    same(page.findings, [], `what ${lang} pages did besides`);
    await context.close();
  }
  const { context, page } = await contextOf(facts.auditor);
  const alarm = page.locator("[role=alert]");
  for (const path of ["/en", "/en/log", ...QUESTIONS.map((name) => `/en/question/${name}`)]) {
    await open(page, path);
    same(await alarm.count(), 1, `alarms of ${path}`);
    const text = await alarm.innerText();
    check(text.includes("The check does not hold") && text.includes(`${last - first + 1} entries`) && text.includes(`: ${where}.`), `${path} says which: ${text}`);
  }
  for (const name of QUESTIONS) {
    await open(page, `/en/question/${name}?from=${from}&to=${to}`);
    const looksBack = ["results-elsewhere", "overdue"].includes(name);
    same(await alarm.count(), looksBack ? 1 : 0, `alarms of ${name} in a period that is sound`);
    const text = await page.locator("main").innerText();
    same([text.includes("Do not rely on the answer"), text.includes("The answer here does not rest on it"), text.includes(where)], [looksBack, !looksBack, true], `what ${name} says of it`);
    same(await page.locator(".verdict").getAttribute("data-tone") === "bad", looksBack, `the tone of ${name}`);
    same((await page.locator("details.check").textContent()).includes("the export makes no file"), looksBack, `what ${name} says of its export`);
  }
  await open(page, `/en/counts?from=${from}&to=${to}`);
  same(await alarm.count(), 0, "alarms of counts in a period that is sound");
  await open(page, `/en?from=${from}&to=${to}`);
  check((await alarm.innerText()).includes("does not hold for every answer"), "the front page of the period says for which");
  same(await page.locator("li.question[data-tone=bad]").count(), 2, "answers of the front page in red");
  await context.close();
}

async function questions() {
  const { context, page } = await contextOf(facts.auditor);
  await open(page, "/en");
  const cards = page.locator("li.question");
  same(await cards.count(), QUESTIONS.length, "questions on the front page");
  for (const [at, name] of QUESTIONS.entries()) {
    await open(page, "/en");
    const card = cards.nth(at);
    const [title, number] = [await card.locator("h3").innerText(), await figure(card.locator(".figure"))];
    same(await card.getByRole("link", { name: "Check this yourself" }).getAttribute("href"), `/en/question/${name}#check`, `${name} says how to check it`);
    check(/\d of \d+.* entries checked/.test((await card.locator(".checked").first().innerText()).replaceAll(",", "")), `${name} says what was checked`);
    await card.locator("h3 a").click();
    same(await heading(page), title, `${name} leads to its page`);
    same(await figure(page.locator(".verdict .figure")), number, `${name} has the same number on both pages`);
    check((await page.locator("details.check").count()) === 1 && (await page.locator("details.check code").first().textContent()).startsWith("samband audit export"), `${name} can be checked`);
    if (["forbidden", "overdue", "changed", "read"].includes(name)) check(number > 0 && (await page.locator("tbody tr").count()) > 0, `${name} has rows`);
  }
  // An answer about a period counts no more than the whole.
  await open(page, "/en/question/changed");
  const all = await figure(page.locator(".verdict .figure"));
  await page.fill("#from", "2026-11-22");
  await page.fill("#to", "2026-11-24");
  await page.getByRole("button", { name: "Show the period" }).click();
  const some = await figure(page.locator(".verdict .figure"));
  check(page.url().endsWith("/en/question/changed?from=2026-11-22&to=2026-11-24") && some < all && some > 0, `a period has ${some} of ${all}`);
  same(await figure(page.locator("li.question .figure").first().or(page.locator(".verdict .figure"))), some, "the number stays");
  await open(page, "/en/question/results-elsewhere");
  check((await page.locator(".verdict .sentence").innerText()).startsWith("No. "), "no result went elsewhere");
  await page.getByRole("link", { name: "Compute anew" }).click();
  check((await page.locator(".verdict .sentence").innerText()).startsWith("No. "), "computed anew");
  same(page.findings, [], "what the questions did besides");
  await context.close();
}

// What wants attention: two overdue messages, a case under legal hold, a witness that is silent.
async function attention() {
  const { context, page } = await contextOf(facts.auditor);
  await open(page, "/en");
  const tile = (name) => page.locator("section.attention dl div", { hasText: name }).locator("dd");
  same(await figure(tile("overdue messages")), 2, "overdue messages on the front page");
  same(await figure(tile("cases under legal hold")), 1, "cases under hold on the front page");
  await page.getByRole("link", { name: "cases under legal hold" }).click();
  const row = page.locator("section[aria-labelledby=holds] tbody tr");
  const text = await row.innerText();
  check(text.includes(facts.case_ref) && text.includes("supervisory inspection") && text.includes("2027-06-30") && text.includes("tilsyn"), `the hold says ${text}`);
  await row.locator("a").first().click();
  same(await heading(page), `Case ${facts.case_ref}`, "a hold leads to its case");
  check((await page.locator("ol.timeline").innerText()).includes("Legal hold placed on a case"), "the timeline tells of the hold");
  await open(page, "/en/log");
  const witness = page.locator("section[aria-labelledby=witnesses]");
  await page.waitForTimeout(1500);
  await page.reload();
  check((await witness.locator("tbody tr").innerText()).includes("cannot be reached"), "a silent witness is shown");
  check((await witness.innerText()).includes("Traffic goes on as before"), "and that it stops nothing");
  same(page.findings, [], "what happened besides");
  await context.close();
}

async function search() {
  const { context, page } = await contextOf(facts.auditor);
  await open(page, "/en/search");
  const names = await page.locator("form.search [name]").evaluateAll((inputs) => inputs.map((input) => input.name));
  same(names, ["from", "to", "participant", "kind", "outcome", "message_id", "case_ref"], "fields of the search: none is about a person");
  check((await page.locator("main").innerText()).includes("no search for persons"), "the page says that there is no search for persons");
  await page.getByRole("link", { name: "How to get from a person to a case" }).click();
  check(page.url().endsWith("/en/help#person"), "the way from a person to a case");

  const ask = async (fields) => {
    await open(page, "/en/search");
    for (const [name, value] of Object.entries(fields)) {
      const field = page.locator(`form.search [name=${name}]`);
      if (["participant", "kind", "outcome"].includes(name)) await field.selectOption(value);
      else await field.fill(value);
    }
    await page.getByRole("button", { name: "Search", exact: true }).click();
    return page.locator("tbody tr").allInnerTexts();
  };
  let rows = await ask({ message_id: facts.message_id });
  check(rows.length >= 3 && rows.some((row) => row.includes("Condition notice accepted")), "by message id");
  await page.locator("tbody td.ref a").first().click();
  same(await heading(page), `Case ${facts.case_ref}`, "from a message id to its case");
  const times = await page.locator("ol.timeline time").evaluateAll((all) => all.map((time) => time.dateTime));
  check(times.length >= 4 && times.every((time, at) => at === 0 || times[at - 1] <= time), "a timeline in order");
  rows = await ask({ case_ref: facts.case_ref.toLowerCase().replaceAll("-", " ") });
  check(rows.length >= 4, "by case reference, as people write it");
  rows = await ask({ participant: "lab-ous", outcome: "refused" });
  check(rows.length > 0 && rows.every((row) => row.includes("lab-ous") && row.includes("Refused")), "by participant and outcome");
  rows = await ask({ kind: "NOTICE_WITHDRAWN" });
  check(rows.length > 0 && rows.every((row) => row.includes("Condition notice withdrawn")), "by kind");
  rows = await ask({ from: "2026-11-21", to: "2026-11-21" });
  check(rows.length > 0 && rows.every((row) => row.includes("2026-11-21")), "by period");
  rows = await ask({ participant: "ru-tromso" });
  check(rows.length === 0 && (await page.locator("main").innerText()).includes("No entries match"), "nothing found is said");

  // What is wrong is said, beside the field and above the form.
  await open(page, "/en/search?case_ref=NOT-A-CASE&from=2026-11-31", 400);
  same(await page.locator("section.ds-error-summary li").count(), 2, "problems named");
  same(await page.locator("#case_ref").getAttribute("aria-invalid"), "true", "the field is marked");
  same(page.findings, [], "what the search did besides");
  await context.close();
}

async function paging() {
  const { context, page } = await contextOf(facts.auditor);
  await open(page, "/en/search");
  let last = await indices(page);
  check(last[0] >= facts.entries, `the newest of ${facts.entries} entries is ${last[0]}`);
  let walked = 0;
  for (; walked < 12; walked += 1) {
    await page.getByRole("link", { name: "Older" }).click();
    const next = await indices(page);
    same(next[0], last.at(-1) - 1, "the next page goes on where the last ended");
    check(next.length === 50 && next.every((index, at) => at === 0 || index === next[at - 1] - 1), "a page without a gap");
    last = next;
  }
  for (const before of [Math.floor(facts.entries / 2), 120, 50]) {
    await open(page, `/en/search?before=${before}`);
    const rows = await indices(page);
    same([rows[0], rows.length], [before - 1, 50], `the page before ${before}`);
  }
  same([(await indices(page)).at(-1), await page.getByRole("link", { name: "Older" }).count()], [0, 0], "the oldest page is the last");
  await page.getByRole("link", { name: "Newer" }).click();
  same((await indices(page)).at(-1), 50, "and back");
  // A filter that finds little in much, and one that finds most.
  await open(page, "/en/search?kind=VALIDATED&before=60000");
  check((await indices(page)).length === 50, "a page of what is frequent");
  await open(page, "/en/search?kind=LOG_OPENED");
  same(await indices(page), [0], "what is rare is found at the other end");
  same(page.findings, [], "what paging did besides");
  await context.close();
}

async function refusals() {
  for (const { who, reason, identity } of facts.refused) {
    const { context, page } = await contextOf(identity);
    for (const path of ["/en", "/nb/search", "/en/log", `/en/case/${facts.case_ref}`, "/en/question/read"]) {
      await open(page, path, 403);
      check((await page.locator("main").innerText()).includes(reason), `${who} hears ${reason} at ${path}`);
      same(await page.locator("nav, table, form").count(), 0, `${who} sees nothing else at ${path}`);
    }
    await accessible(page, `the page for ${who}`);
    same(page.findings, [], `what the page for ${who} did besides`);
    await context.close();
  }
}

async function keyboard() {
  const { context, page } = await contextOf(facts.auditor);
  await open(page, "/en");
  const focused = () => page.evaluate(() => {
    const style = getComputedStyle(document.activeElement);
    return { text: document.activeElement.textContent.trim(), id: document.activeElement.id, outline: parseFloat(style.outlineWidth) > 0 && style.outlineStyle !== "none" };
  });
  await page.keyboard.press("Tab");
  same((await focused()).text, "Skip to main content", "the first stop");
  await page.keyboard.press("Enter");
  same((await focused()).id, "main", "the skip link skips");
  await page.reload();
  const stops = [];
  for (let at = 0; at < 14; at += 1) {
    await page.keyboard.press("Tab");
    const stop = await focused();
    check(stop.outline, `“${stop.text}” shows that it has the focus`);
    stops.push(stop.text);
  }
  for (const wanted of ["Questions", "Search the log", "State of the log", "Norsk bokmål"]) check(stops.includes(wanted), `${wanted} can be reached`);
  await open(page, "/en");
  while ((await focused()).text !== "Search the log") await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/en/search");
  while ((await focused()).id !== "case_ref") await page.keyboard.press("Tab");
  await page.keyboard.type(facts.case_ref);
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/en/search?**case_ref=${facts.case_ref}`);
  check((await page.locator("tbody tr").count()) >= 4, "a search without a mouse");
  await context.close();
}

async function withoutScript() {
  const { context, page } = await contextOf(facts.auditor, { javaScriptEnabled: false });
  await open(page, "/nb");
  same(await page.locator("li.question").count(), QUESTIONS.length, "questions without script");
  await page.locator("li.question h3 a").first().click();
  await page.waitForURL("**/nb/question/*");
  await page.locator("details.check summary").click();
  // Opening is animated: seen soon, not at once.
  await page.locator("details.check pre").first().waitFor({ state: "visible", timeout: 5000 });
  await open(page, "/nb/search");
  await page.locator("#kind").selectOption("REFUSED");
  await page.getByRole("button", { name: "Søk", exact: true }).click();
  check((await page.locator("tbody tr").count()) > 0, "a search without script");
  same(page.findings, [], "what happened besides");
  await context.close();
}

// A report is a page of its own, without a gateway: no scripts, nothing fetched, for the keyboard and for 320 px.
async function reports() {
  for (const { lang, file } of facts.reports) {
    const context = await browser.newContext({ bypassCSP: true });
    const page = await context.newPage();
    const elsewhere = [];
    page.on("request", (request) => { if (!request.url().startsWith("file:")) elsewhere.push(request.url()); });
    await page.goto(`file://${file}`);
    same(await page.locator("html").getAttribute("lang"), lang, `lang of the report ${lang}`);
    await accessible(page, `the report ${lang}`);
    await reflows(page, `the report ${lang}`);
    same(elsewhere, [], `what the report ${lang} fetched`);
    await context.close();
  }
}

async function screenshots(folder) {
  mkdirSync(folder, { recursive: true });
  if (facts.damaged) {
    const { context, page } = await contextOf(facts.auditor);
    const { first, last, from, to } = facts.damaged;
    const views = { front: "/nb", question: `/nb/question/forbidden?from=${from}&to=${to}`, log: "/nb/log", search: `/nb/search?before=${last + 20}`, entry: `/nb/entry/${first}` };
    for (const [name, path] of Object.entries(views)) {
      await page.goto(facts.base + path);
      for (const width of [320, 1200]) {
        await page.setViewportSize({ width, height: 860 });
        await page.screenshot({ path: join(folder, `damaged-${name}-${width}.png`), fullPage: true });
      }
    }
    await context.close();
    return;
  }
  const { context, page } = await contextOf(facts.auditor, { viewport: { width: 1200, height: 860 } });
  const views = { front: "/nb", "front-en": "/en", question: "/nb/question/forbidden", search: "/nb/search?participant=lab-ous", case: `/nb/case/${facts.case_ref}`, counts: "/nb/counts", log: "/nb/log", reviews: "/nb/reviews", entry: "/en/entry/9", help: "/nb/help", problems: "/nb/search?case_ref=X" };
  for (const [name, path] of Object.entries(views)) {
    await page.goto(facts.base + path);
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  }
  await page.setViewportSize({ width: 390, height: 800 });
  await page.goto(`${facts.base}/nb`);
  await page.screenshot({ path: join(folder, "telephone.png"), fullPage: true });
  await context.close();
  const stranger = await contextOf(facts.refused[2].identity);
  await stranger.page.goto(`${facts.base}/nb`);
  await stranger.page.screenshot({ path: join(folder, "refused.png") });
  await stranger.context.close();
}

async function latency(rounds) {
  const { context, page } = await contextOf(facts.auditor);
  for (const path of await pagesOf("nb")) {
    const millis = [];
    for (let round = 0; round < rounds; round += 1) {
      const begun = performance.now();
      const response = await context.request.get(facts.base + path);
      await response.body();
      millis.push(performance.now() - begun);
      check(response.status() === 200, `${path} answers`);
    }
    millis.sort((left, right) => left - right);
    const at = (share) => millis[Math.min(millis.length - 1, Math.floor(millis.length * share))].toFixed(0).padStart(6);
    console.log(`${path.padEnd(60)} p50 ${at(0.5)} ms  p99 ${at(0.99)} ms`);
  }
  await page.close();
  await context.close();
}

let failed = false;
try {
  if (process.env.SAMBAND_LATENCY) {
    await latency(Number(process.env.SAMBAND_LATENCY));
  } else {
    for (const part of facts.reports ? [reports] : facts.damaged ? [damage] : [everyPage, narrow, questions, attention, search, paging, refusals, keyboard, withoutScript]) {
      const begun = performance.now();
      try {
        await part();
        console.log(`${part.name}: holds, ${((performance.now() - begun) / 1000).toFixed(1)} s`);
      } catch (error) {
        failed = true;
        console.error(`${part.name}: FAILED: ${error.stack}`);
      }
    }
    if (process.env.SAMBAND_SCREENSHOTS && !facts.reports) await screenshots(resolve(process.env.SAMBAND_SCREENSHOTS));
    console.log(`browser: ${checks} checks tried, ${await browser.version()}`);
  }
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);

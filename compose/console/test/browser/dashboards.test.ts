import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { declared, env, launch, panels, problem, settled, visit } from './harness.ts';

const console_ = env('CONSOLE_URL');
const fixtures = env('FIXTURES_URL');
const pictures = process.env.SCREENSHOTS;

/** Least is how many panels must have data on the lab's load, where the lab is known to have it. */
const Least: Record<string, number> = { 'plumbline-service-overview': 12, kinds: 16, transformations: 8 };

/** AtOnce is what src/api/stores.ts promises. */
const AtOnce = 6;

let browser: Browser;
before(async () => void (browser = await launch()));
after(() => browser.close());

async function uids(base: string): Promise<string[]> {
  const list = (await (await fetch(`${base}/api/dashboards`)).json()) as Array<{ uid: string; error?: string }>;
  assert.deepEqual(list.filter((b) => b.error), [], 'dashboards that cannot be read');
  return list.map((b) => b.uid);
}

interface Looks {
  width: number;
  theme: 'light' | 'dark';
}

/** fits checks that a dashboard is no wider than the window and that each panel has room, and takes its picture where one is wanted. */
async function fits(t: TestContext, page: Page, uid: string, { width, theme }: Looks): Promise<void> {
  await t.test(`${uid} fits ${width} px in ${theme} colours`, async () => {
    await settled(page);
    const size = await page.evaluate(() => ({
      whole: document.documentElement.scrollWidth, seen: document.documentElement.clientWidth, theme: document.documentElement.style.colorScheme,
    }));
    assert.equal(size.seen, width);
    assert.equal(size.theme, theme);
    assert.ok(size.whole <= size.seen, `the page is ${size.whole} px wide`);
    for (const p of await panels(page)) {
      assert.ok(p.width >= Math.min(60, width) && p.right <= size.seen + 1, `panel ${p.title} is ${p.width} px wide and ends at ${p.right}`);
      assert.ok(p.state === 'empty' || p.state === 'drawn', `panel ${p.title} is ${p.state}: ${p.text.slice(0, 300)}`);
    }
    if (pictures && (width === 1280) === (theme === 'dark')) {
      await mkdir(pictures, { recursive: true });
      const name = `console-${uid.replace(/^plumbline-/, '')}${width === 390 ? '-phone-light' : ''}.png`;
      // Tables leave rows out that are beyond the window.
      const { height } = page.viewportSize()!;
      await page.setViewportSize({ width, height: await page.evaluate(() => document.documentElement.scrollHeight) });
      await settled(page);
      await page.screenshot({ path: join(pictures, name), animations: 'disabled' });
      await page.setViewportSize({ width, height });
    }
  });
}

const sets = [
  { name: 'committed', base: console_, uids: await uids(console_) },
  { name: 'fixture', base: fixtures, uids: await uids(fixtures) },
];

for (const set of sets) {
  describe(`every ${set.name} dashboard`, () => {
    assert.ok(set.uids.length > 0, 'there are none');
    for (const uid of set.uids) {
      test(`${uid} draws every panel, or says why it is empty`, async (t) => {
        const { page, complaints, queries } = await visit(browser, `${set.base}/d/${uid}?refresh=`);
        const ready = await settled(page);
        const timing = await page.evaluate(() => ({ paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0 }));
        const json = await declared(set.base, uid);
        const seen = await panels(page);
        assert.deepEqual(seen.map((p) => p.id).sort(), json.map((p) => String(p.id)).sort(), 'panels on the page and in the JSON');
        const wrong = seen.flatMap((p) => problem(p, json.find((d) => String(d.id) === p.id)!) ?? []).map((w, i) => `${i + 1}. ${w}`);
        assert.deepEqual(wrong, [], 'panels');
        // A fixture asks for a trace that there is not, and the browser reports Jaeger's answer.
        const expected = (c: string) => set.base === fixtures && /status of 404/.test(c) && c.includes('/jaeger/api/traces/');
        assert.deepEqual(complaints.filter((c) => !expected(c)), [], 'what the browser complains about');
        assert.ok(queries.peak <= AtOnce, `${queries.peak} queries ran together`);
        const drawn = seen.filter((p) => p.state === 'drawn').length;
        assert.ok(drawn >= (Least[uid] ?? 0), `${drawn} panels have data, want at least ${Least[uid]}`);
        t.diagnostic(`${uid}: ${drawn} of ${seen.length} panels have data, ${queries.total} queries, at most ${queries.peak} together, first paint ${Math.round(timing.paint)} ms, all panels ${ready} ms`);

        // What somebody waits who comes from the list, with the page's code there already.
        await page.getByRole('link', { name: 'Dashboards', exact: true }).click();
        const link = page.locator(`a[href="/d/${uid}"]`);
        await link.waitFor();
        const clicked = await page.evaluate(() => performance.now());
        await link.click();
        t.diagnostic(`${uid}: from the list, all panels ${Math.round((await settled(page)) - clicked)} ms`);
        await page.goto(`${set.base}/d/${uid}?refresh=`);
        await settled(page);

        // The same page in every width and colour: what is loaded for one is loaded for all.
        await fits(t, page, uid, { width: 1280, theme: 'dark' });
        await page.getByRole('button', { name: 'Light colours' }).click();
        await fits(t, page, uid, { width: 1280, theme: 'light' });
        await page.setViewportSize({ width: 390, height: 844 });
        await fits(t, page, uid, { width: 390, theme: 'light' });
        await page.getByRole('button', { name: 'Dark colours' }).click();
        await fits(t, page, uid, { width: 390, theme: 'dark' });
        assert.deepEqual(complaints.filter((c) => !expected(c)), [], 'what the browser complains about after a change of width and colours');
        await page.context().close();
      });
    }
  });
}
